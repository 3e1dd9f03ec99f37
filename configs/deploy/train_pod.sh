#!/usr/bin/env bash
# One pod of a training on Kubernetes; configs/deploy/train.jobset.yaml runs it as a ConfigMap.
#
#   bash train_pod.sh plan      check everything and write the job of the ranks
#   bash train_pod.sh ranks     LOCAL_WORLD_SIZE ranks of this machine, number JOB_COMPLETION_INDEX
#   bash train_pod.sh commit    when all steps are done, write the manifest
#
# TOKENS and OUTPUT lie on a volume that all pods share. A pod that ends with 75 stopped and saved, or goes back over a
# spike: started again it goes on. With 2, 3, 4 or 5 settings, data or disk are at fault. Ranks are started here and
# not by torchrun, which kills them 30 s after a signal and hides their exit codes behind its own.
set -euo pipefail

: "${TOKENS:?the directory of the tokens, result of corpuscle pack}"
: "${OUTPUT:?the directory of the run}"
: "${WORLD_SIZE:?ranks of all machines}"
CONFIG=${CONFIG:-biomedlm-2.7b}
PYTHON=${PYTHON:-python}
CORPUSCLE=${CORPUSCLE:-corpuscle}
TRY_AGAIN=75
GRACE=${GRACE:-10} # seconds for the other ranks of this machine, once one has failed

# Exit 75: the ranks have steps to do. Exit 0: all are done, and the manifest is written.
plan() {
    local resume=()
    if compgen -G "$OUTPUT/checkpoints/step-*" >/dev/null; then
        resume=(--resume)
    fi
    "$CORPUSCLE" train --tokens "$TOKENS" --output "$OUTPUT" --config "$CONFIG" \
        --ranks "$WORLD_SIZE" --set launcher=print "${resume[@]}"
}

to_ranks() {
    local one
    for one in "${ranks[@]}"; do
        kill "-$1" "$one" 2>/dev/null || true
    done
}

# Start the ranks of this machine and wait for all; a signal reaches them, and they save. One that fails ends the rest,
# which would wait for it.
run_ranks() {
    local first=$((JOB_COMPLETION_INDEX * LOCAL_WORLD_SIZE)) local_rank left one ended code=0
    ranks=()
    trap 'to_ranks TERM' TERM INT
    for ((local_rank = 0; local_rank < LOCAL_WORLD_SIZE; local_rank++)); do
        RANK=$((first + local_rank)) LOCAL_RANK=$local_rank "$PYTHON" -m train.loop.rank "$OUTPUT" &
        ranks+=("$!")
    done
    left=${#ranks[@]}
    while ((left)); do
        one=0 ended=""
        wait -n -p ended "${ranks[@]}" || one=$?
        [[ -n ${ended:-} ]] || continue # a signal came, and went to the ranks
        left=$((left - 1))
        if ((one == 0 || one == code)); then
            continue
        elif ((one == TRY_AGAIN)); then
            ((code != 0)) || code=$one
        elif ((code == 0 || code == TRY_AGAIN)); then
            code=$one
            (sleep "$GRACE" && to_ranks KILL) &
        fi
    done
    return "$code"
}

case ${1:-} in
    plan)
        code=0
        plan || code=$?
        ((code == TRY_AGAIN)) || exit "$code"
        ;;
    ranks)
        : "${JOB_COMPLETION_INDEX:?number of this machine}" "${LOCAL_WORLD_SIZE:?ranks of one machine}"
        : "${MASTER_ADDR:?name of the first machine}" "${MASTER_PORT:?its port}"
        export MASTER_ADDR MASTER_PORT WORLD_SIZE LOCAL_WORLD_SIZE
        run_ranks
        ;;
    commit) plan ;;
    *)
        echo "error: $0 plan, ranks or commit" >&2
        exit 2
        ;;
esac
