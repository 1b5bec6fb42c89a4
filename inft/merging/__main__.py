"""`inft-tui merge`: a run's adapters and its base become one plain bf16 model, and both are compared.

Libraries that take seconds to import are imported only once the command line is known to be good.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from inft.edge import exit_code_of, quieten_libraries, write_json
from inft.loading import quick_loading
from inft.measure import Progress
from inft.merging.folder import check_free, check_room, staged
from inft.merging.options import Options, read_options
from inft.merging.source import Source, find_source
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
        source = find_source(options.name, options.logs_dir, options.profile, options.overrides)
        output = (options.output or source.default_output).expanduser().absolute()
        check_free(output)
        progress = Progress()
        try:
            merge(source, output, options, progress)
        finally:
            progress.end()

    # What is half written is deleted on the way out.
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return exit_code_of(work, as_json="--json" in arguments, ends=ends)


def merge(source: Source, output: Path, options: Options, progress: Progress) -> None:
    """Writes the merged model, compares it and says what came of it.

    Raises:
        DivergedError: it is there, and worse than the adapters.
        InftError: it is not there, and why.
    """
    progress.say("loading libraries")
    with quick_loading():
        from inft.merging.base import check_base
        from inft.merging.comparison import Comparer, NotCompared, choose_sample, worse
        from inft.merging.description import Merged, check_description, write_description, write_record
        from inft.merging.lora import read_adapters
        from inft.merging.push import check_push, push
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
    checkpoint = locate(config, family, root, lambda done, total: progress.say(f"{size(done)} fetched"))
    check_description(checkpoint)
    base = check_base(source, adapters, checkpoint)
    plan = plan_merge(find_shards(checkpoint.model), adapters, skeleton(architecture(config, family, root)))
    check_room(output, plan.written_bytes)
    comparer, comparison, reason = None, None, NOT_ASKED
    if options.check_rows:
        sample = choose_sample(config, root, options.check_rows, progress.say)
        comparer = Comparer(config, root, family, checkpoint, sample, this_machine().device, progress.say)
    with staged(output) as folder:
        write_description(folder, checkpoint, family)
        write_merged(plan, adapters, folder, lambda done, all_: progress.say(f"writing {size(done)} of {size(all_)}"))
        if comparer is not None:
            try:
                comparison, reason = comparer.compare(source.folder, folder, plan.written_bytes), ""
            except NotCompared as problem:
                reason = str(problem)
        merged = Merged(source, adapters, base, plan, comparison, reason)
        record = write_record(folder, merged)
    is_worse = comparison is not None and comparison.is_worse
    address = None
    if options.repo_id is not None and not is_worse:
        progress.say(f"pushing to {options.repo_id}")
        address = push(output, options.repo_id, private=options.private)
    progress.end()
    if options.as_json:
        write_json({"output": str(output), **record, "pushed": address})
    else:
        for line in lines(merged, output, address):
            sys.stdout.write(visible(line) + "\n")
    if comparison is not None and is_worse:
        raise worse(comparison, output)


if __name__ == "__main__":
    sys.exit(main())
