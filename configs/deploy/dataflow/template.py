"""What Dataflow's launcher runs in the image of the Flex Template: one stage, left to Dataflow once it is submitted."""

import sys

from pipelines.cli.template import launch

if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
