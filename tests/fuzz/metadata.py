"""Files of settings and facts, mutated: `python -m tests.fuzz.metadata --runs N`.

A reader of a manifest, a receipt, a job, a checkpoint, a tokenizer, an evaluation set or a YAML file returns a value or
raises a CorpuscleError, whatever the bytes: never another error, never a hang. `check` takes the name of a kind and the
bytes. Manifests get their own hash again after a mutation, or none of them would be read further.
"""

import argparse
import hashlib
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from corpus.assemble.evaluation_sets import read_evaluation
from corpus.errors import CorpuscleError
from corpus.extract.task import RECEIPTS_FILE, _read_receipts
from corpus.fetch.http.client import Fault
from corpus.fetch.pmc.inventory import read_manifest as read_inventory
from corpus.fetch.pmc.metadata_rows import read_detail
from corpus.fetch.pmc.stage import _PINNED, _read_pinned
from corpus.stage.manifest import MANIFEST, Books, Input, Manifest, Part, _canonical, read_manifest
from corpus.stage.withdraw import WITHDRAWN, finish_withdrawal
from corpus.stage.workspace import RECEIPTS, Receipt, WorkFile, Workspace, open_workspace
from pipelines.inspection.stages import inspect_path
from pipelines.inspection.verification import verify_directory
from pipelines.workflow.config import load
from tests.support.small_run import REPOSITORY_FILES
from tokenizer.encode import Encoder, decoded
from tokenizer.hf_json import tokenizer_json
from train.checkpoint import store
from train.config import load_preset, with_settings
from train.job import JOB, Job, read_error, read_job, write_job
from train.loop.metrics import METRICS, read_metrics
