"""`inft-tui merge`: a run's adapters and its base become one plain bf16 model, and both are compared.

Libraries that take seconds to import are imported only once the command line is known to be good.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from inft.edge import exit_code_of, quieten_libraries, write_json
from inft.loading import quick_loading
from inft.merging.folder import check_free, staged
from inft.merging.options import Options, read_options
from inft.merging.record import RECORD, read_record
from inft.merging.source import Source, find_source
from inft.merging.stages import Stages
from inft.runs.quantities import size
from inft.runs.visible import visible

NOT_ASKED = "--no-check was given"


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; whatever goes wrong is a sentence on stderr and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    quieten_libraries()
    logging.disable(logging.WARNING)  # what libraries remark on has a sentence of ours where it matters

    def work() -> None:
        options = read_options(arguments)
        stages = Stages()
        try:
            folder = Path(options.name).expanduser()
            if (folder / RECORD).is_file():
                push_again(folder.absolute(), options, stages)
                return
            source = find_source(options.name, options.logs_dir, options.profile, options.overrides)
            output = (options.output or source.default_output).expanduser().absolute()
            check_free(output)
            merge(source, output, options, stages)
        finally:
            stages.end()

    # What is half written is deleted on the way out.
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return exit_code_of(work, as_json="--json" in arguments, ends=ends)


def merge(source: Source, output: Path, options: Options, stages: Stages) -> None:
    """Writes the merged model, compares it and says what came of it.

    Raises:
        DivergedError: it is there, and worse than the adapters.
        NotReadyError: it is there, and not pushed, since it could not be compared.
        InftError: it is not there, or not pushed, and why.
    """
    stages.say("loading libraries")
    with quick_loading():
        from inft.merging.base import check_base
        from inft.merging.comparison import Comparer, Comparison, NotCompared, choose_sample, worse
        from inft.merging.description import Merged, check_description, write_description, write_record
        from inft.merging.lora import read_adapters
        from inft.merging.publishing import may_be_pushed, publish
        from inft.merging.push import check_push
        from inft.merging.shards import find_shards
        from inft.merging.weights import plan_merge, write_merged
        from inft.merging.words import lines
        from inft.models.adapters import skeleton
        from inft.models.checkpoint import architecture, locate
        from inft.models.registry import FAMILIES
        from inft.training.precision import this_machine, use_one_gpu

    use_one_gpu()
    if options.repo_id is not None:
        check_push(options.repo_id)
    config, family, root = source.config, FAMILIES[source.config.family], source.root
    adapters = read_adapters(source.folder)
    checkpoint = locate(config, family, root, lambda done, total: stages.say("fetching the base", f"{size(done)}"))
    check_description(checkpoint)
    base = check_base(source, adapters, checkpoint)
    plan = plan_merge(find_shards(checkpoint.model), adapters, skeleton(architecture(config, family, root)))
    comparer, trained, reason = None, None, NOT_ASKED
    comparison: Comparison | None = None
    with staged(output, plan.written_bytes) as folder:
        if options.check_rows:
            # First, though it is the merged model that is asked for: what can go wrong goes wrong before the writing.
            try:
                sample = choose_sample(config, root, options.check_rows, stages.say)
                comparer = Comparer(config, family, checkpoint, sample, this_machine().device, stages.say)
                trained = comparer.measure_adapters(source.folder)
            except NotCompared as problem:
                reason = str(problem)
        write_description(folder, checkpoint, family)
        total = size(plan.written_bytes)
        write_merged(plan, adapters, folder, lambda done, _: stages.say(f"writing {total}", f"{size(done)} done"))
        if comparer is not None and trained is not None:
            try:
                comparison, reason = comparer.compare(trained, folder, plan.written_bytes), ""
            except NotCompared as problem:
                reason = str(problem)
            except KeyboardInterrupt:
                stages.note(
                    "It was written, and is deleted, since it was not compared yet; --no-check leaves that out."
                )
                raise
        merged = Merged(source, adapters, base, plan, comparison, reason)
        record = write_record(folder, merged)
    stages.end()
    if not options.as_json:
        _print(lines(merged, output))
    address = None
    try:
        if comparison is not None and comparison.is_worse:
            raise worse(comparison, output)
        if options.repo_id is not None:
            may_be_pushed(output, options)
            stages.say(f"pushing to {options.repo_id}")
            address = publish(output, options)
    finally:
        stages.end()
        if options.as_json:
            write_json({"output": str(output), **record, "pushed": address})
    if address is not None and not options.as_json:
        _print([f"Pushed to {address}"])


def push_again(folder: Path, options: Options, stages: Stages) -> None:
    """Puts a model on the hub that was merged before.

    Raises:
        InftError: it is not put there, and why.
    """
    from inft.merging.publishing import check_only_pushed, may_be_pushed, publish
    from inft.merging.push import check_push

    check_only_pushed(folder, options)
    may_be_pushed(folder, options)
    assert options.repo_id is not None
    check_push(options.repo_id)
    stages.say(f"pushing to {options.repo_id}")
    address = publish(folder, options)
    stages.end()
    if options.as_json:
        write_json({"output": str(folder), **read_record(folder), "pushed": address})
    else:
        _print([f"Pushed {folder} to {address}"])


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(visible(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
