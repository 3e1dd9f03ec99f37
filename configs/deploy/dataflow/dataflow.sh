#!/usr/bin/env bash
# Build the image and the Flex Template of Dataflow, and launch stages by it. From the repository's root:
#
#   export PROJECT=my-project REGION=europe-west4 BUCKET=gs://my-bucket IMAGE=europe-west4-docker.pkg.dev/my-project/corpuscle/worker
#   configs/deploy/dataflow/dataflow.sh build
#   configs/deploy/dataflow/dataflow.sh extract "pubmed=$BUCKET/raw/pubmed" "pmc=$BUCKET/raw/pmc" "output=$BUCKET/records"
#   configs/deploy/dataflow/dataflow.sh assemble "records=$BUCKET/records" "output=$BUCKET/corpus/clean"
#
# `build` wants docker and gcloud, a launch gcloud alone. A launch is over when the job is submitted: look at the job in
# the console, and launch the next stage when it has ended. The same launch again goes on where a job failed.
# Words name=value are parameters of metadata.json; those of STAGE.flags are added.
set -euo pipefail

: "${PROJECT:?the project of Google Cloud}" "${REGION:?its region}" "${BUCKET:?gs://BUCKET}" "${IMAGE:?name of the image}"
HERE=$(dirname "${BASH_SOURCE[0]}")
TEMPLATE=$BUCKET/templates/corpuscle.json

build() {
    docker build --platform linux/amd64 -f "$HERE/Containerfile" -t "$IMAGE" .
    docker push "$IMAGE"
    gcloud dataflow flex-template build "$TEMPLATE" --project "$PROJECT" --image "$IMAGE" --sdk-language PYTHON \
        --metadata-file "$HERE/metadata.json"
}

launch() {
    local stage=$1 parameters=("stage=$1" "sdk_container_image=$IMAGE") flags=()
    shift
    [ ! -f "$HERE/$stage.flags" ] || mapfile -t flags < <(grep '^--' "$HERE/$stage.flags")
    parameters+=("${flags[@]#--}" "$@")
    # ^~^ makes ~ what separates them: a comma may be in a value.
    gcloud dataflow flex-template run "corpuscle-$stage-$(date -u +%Y%m%d-%H%M%S)" --project "$PROJECT" --region "$REGION" \
        --template-file-gcs-location "$TEMPLATE" --temp-location "$BUCKET/temp" --staging-location "$BUCKET/staging" \
        --parameters "^~^$(IFS='~'; echo "${parameters[*]}")"
}

case ${1:-} in
    build) build ;;
    extract | assemble | pack) launch "$@" ;;
    *)
        echo "usage: $0 build | extract name=value… | assemble name=value… | pack name=value…" >&2
        exit 2
        ;;
esac
