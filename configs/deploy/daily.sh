#!/usr/bin/env bash
# A day's work: what is new at NCBI, into corpus and tokens. For a timer (corpuscle.timer) or a cron job (cronjob.yaml):
#
#   WORK=/data/corpuscle configs/deploy/daily.sh
#
# Its exit code is that of `corpuscle run … --update`: 75 means that the same command goes on, so try again; on 2, 3, 4
# and 5 somebody has to look. <stage>/events.jsonl says what happened, standard error too: CORPUSCLE_LOG_FORMAT=json is
# set here unless it is set already. CONFIG names the run file (daily.yaml beside this script), RUN_OPTIONS further words
# for `run`, as --set fetch.pmc={}, and CORPUSCLE the command.
set -euo pipefail

: "${WORK:?the directory of all results}"
export CORPUSCLE_LOG_FORMAT=${CORPUSCLE_LOG_FORMAT:-json}
config=${CONFIG:-$(dirname "${BASH_SOURCE[0]}")/daily.yaml}
read -ra options <<<"${RUN_OPTIONS:-}"

exec "${CORPUSCLE:-corpuscle}" run "$config" --set "work=$WORK" "${options[@]}" --update
