#!/usr/bin/env bash
# A day's work: what is new at NCBI, into the corpus. For a timer (corpuscle.timer) or a cron job (cronjob.yaml):
#
#   WORK=/data/corpuscle configs/deploy/daily.sh
#
# Its exit code is that of the step that failed: 75 means that the same command goes on, so try again; on 2, 3, 4 and 5
# somebody has to look. <step>/events.jsonl says what happened, standard error too: CORPUSCLE_LOG_FORMAT=json is set here
# unless it is set already. FETCH names what is fetched (pubmed, "pubmed pmc", or nothing), CORPUSCLE the command,
# EXTRACT_OPTIONS and CORPUS_OPTIONS are words for those stages.
set -euo pipefail

: "${WORK:?the directory of all results}"
CORPUSCLE=${CORPUSCLE:-corpuscle}
export CORPUSCLE_LOG_FORMAT=${CORPUSCLE_LOG_FORMAT:-json}
read -ra extract_options <<<"${EXTRACT_OPTIONS:-}"
read -ra corpus_options <<<"${CORPUS_OPTIONS:-}"

for source in ${FETCH-pubmed}; do
    "$CORPUSCLE" fetch "$source" --output "$WORK/raw/$source"
done

inputs=()
for source in pubmed pmc; do
    if [ -d "$WORK/raw/$source" ]; then
        inputs+=("--$source" "$WORK/raw/$source")
    fi
done
"$CORPUSCLE" extract "${inputs[@]}" --output "$WORK/records" --update "${extract_options[@]}"
"$CORPUSCLE" assemble --records "$WORK/records" --output "$WORK/corpus" --update "${corpus_options[@]}"
