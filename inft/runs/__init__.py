"""What a run leaves on disk and how to watch it; nothing here imports torch.

directory.py makes the folder, launch.py starts the trainer, the trainer writes with jsonl.py, events.py and status.py,
and everybody else only reads: follow.py yields the events, narrate.py says them in words.
"""
