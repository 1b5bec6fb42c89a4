"""Textual's connection to the terminal, in place of its own.

What its own (8.2.8) gets wrong, and this does not: SIGTERM and a lost terminal leave the program behind, or the
terminal in the alternate screen; a stalled link blocks the event loop and then gets a megabyte of old drawings; a
thread wakes ten times a second to look for keys; every movement of the mouse is reported. Here the event loop itself
reads keys and writes drawings, and nothing in it ever waits for the terminal.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import threading
import tty
from codecs import getincrementaldecoder
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from textual import events
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size
from textual.message import Message

from inft_tui.display.capabilities import Capabilities
from inft_tui.display.outbox import Outbox
from inft_tui.display.plain_text import to_ascii
from inft_tui.display.thrift import thrifty

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2004h"
"""The alternate screen, no cursor, no line wrap, pasted text marked as such."""
LEAVE = "\x1b[?2026l\x1b[0m\x1b[?2004l\x1b[?7h\x1b[?1049l\x1b[?25h"
MOUSE = "\x1b[?1000h\x1b[?1006h"
"""Clicks and the wheel; movements would be a stream of bytes that nothing here has a use for."""
NO_MOUSE = "\x1b[?1006l\x1b[?1000l"
CSI, MODE = "\x1b[", "\x1b[?"
"""A drawing begins with the first and not with the second: it moves the cursor to where it is."""
ASK_SYNCHRONISED = "\x1b[?2026$p"

THIN_BAR = "▏", "│"
"""Where one types, and what is drawn for it where the font has no eighths of a block."""

ESCAPE_S = 0.12
"""After this long an escape is a key of its own, and no longer the beginning of another one's sequence."""
RESIZE_S = 0.04
"""A window that is dragged changes its size a hundred times; it is drawn for where it stays."""
LAST_WORD_S = 0.3
"""What a terminal that does not read may delay our end by."""
PATIENCE_S = 0.7
"""From the signal to the end, when something hangs; those who sent it wait for a second."""

_LEAVING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


class Owner(Protocol):
    """Who is told what happens to the terminal."""

    capabilities: Capabilities

    def leave_for(self, number: signal.Signals) -> None:
        """The program is to end as this signal asks."""

    def repaint(self) -> None:
        """What the terminal shows is no longer known."""


class TerminalDriver(Driver):
    """Keys in, drawings out, over the terminal of stdin and stdout.

    Args:
        app: whose terminal it is; an `Owner`.
        debug, mouse, size: as Textual's other drivers.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        owner: Any = app
        self._owner: Owner = owner
        self._in = 0
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._out, self._opened = _own_descriptor(1)
        self._outbox = Outbox(self._out)
        self._settings: list[Any] | None = None
        self._parser: XTermParser | None = None
        self._on_screen = False
        self._waits_for_room = False
        self._owes_drawing = False
        self._catches_up = False
        self._resize: asyncio.TimerHandle | None = None
        self._escape: asyncio.TimerHandle | None = None
        self._signals: list[signal.Signals] = []
        self._before: dict[signal.Signals, Any] = {}
        self._deadline: threading.Timer | None = None
        self.last_words = ""
        """What is said on the screen that the terminal had before, once it is back."""

    @property
    def can_suspend(self) -> bool:
        """Whether Ctrl-Z works."""
        return True

    @property
    def is_behind(self) -> bool:
        """Whether the terminal has not caught up with what was drawn; then whoever asks owes it a drawing."""
        if self._outbox.is_behind and not self._owes_drawing:
            self._owes_drawing = True
            # A link that is slow for long gets every other drawing whole, instead of one beginning after another.
            self._outbox.drop_drawings(also_begun=not self._catches_up)
        return self._owes_drawing

    def send_message(self, message: Message) -> None:
        """Hands a message to the app; unlike Textual's own drivers, from the event loop itself."""
        self._app.post_message(message)

    def write(self, data: str) -> None:
        """Sends `data` as soon as the terminal takes it."""
        if self._outbox.lost:
            return
        is_drawing = data.startswith(CSI) and not data.startswith(MODE)
        text = thrifty(data) if is_drawing else data
        if not self._owner.capabilities.unicode:
            text = to_ascii(text)
        elif self._owner.capabilities.glyphs == "block":
            text = text.replace(*THIN_BAR)
        self._outbox.put(text.encode("utf-8", "replace"), is_drawing=is_drawing)
        self._look_after_outbox()

    def start_application_mode(self) -> None:
        """Takes the terminal, and from here on the signals."""
        self._listen_to_signals()
        self._take_terminal()
        self._loop.add_reader(self._in, self._read)
        self._send_size()

    def disable_input(self) -> None:
        """Stops listening for keys."""
        self._loop.remove_reader(self._in)
        for handle in (self._resize, self._escape):
            if handle is not None:
                handle.cancel()

    def stop_application_mode(self) -> None:
        """Gives the terminal back as it was found."""
        self.disable_input()
        self._give_terminal_back()

    def close(self) -> None:
        """Lets go of everything; the signals mean again what they meant before."""
        self._stop_waiting_for_room()
        for number in self._signals:
            self._loop.remove_signal_handler(number)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._signals.clear()
        self._before.clear()
        if self._opened:
            self._opened = False
            os.close(self._out)
        else:
            os.set_blocking(self._out, True)

    def _take_terminal(self) -> None:
        try:
            self._settings = termios.tcgetattr(self._in)
            raw = termios.tcgetattr(self._in)
            raw[tty.LFLAG] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
            raw[tty.IFLAG] &= ~(termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR)
            raw[tty.CC][termios.VMIN], raw[tty.CC][termios.VTIME] = 1, 0
            termios.tcsetattr(self._in, termios.TCSANOW, raw)
        except termios.error:
            self._settings = None  # it is gone already, and the next look for keys will say so
        self._parser = XTermParser()
        self._on_screen = True
        self._owes_drawing = self._catches_up = False
        self.write(ENTER + (MOUSE if self._mouse else ""))
        if self._owner.capabilities.synchronises:
            self.write(ASK_SYNCHRONISED)

    def _give_terminal_back(self) -> None:
        if not self._on_screen:
            return
        self._on_screen = False
        self._stop_waiting_for_room()
        words = self.last_words if self._owner.capabilities.unicode else to_ascii(self.last_words)
        self._outbox.finish(((NO_MOUSE if self._mouse else "") + LEAVE + words).encode("utf-8", "replace"), LAST_WORD_S)
        if self._settings is not None:
            try:
                termios.tcsetattr(self._in, termios.TCSANOW, self._settings)
                termios.tcflush(self._in, termios.TCIFLUSH)
            except termios.error:
                pass  # there is no terminal to give back

    def _read(self) -> None:
        try:
            data = os.read(self._in, 4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""  # Linux's way to say that the terminal is gone
        if not data:
            self._loop.remove_reader(self._in)
            self._outbox.lost = True
            self._leave(signal.SIGHUP)
            return
        assert self._parser is not None
        for message in self._parser.feed(self._decoder.decode(data)):
            self.process_message(message)
        if self._escape is not None:
            self._escape.cancel()
        self._escape = self._loop.call_later(ESCAPE_S, self._tick)

    def _tick(self) -> None:
        assert self._parser is not None
        for message in self._parser.tick():
            self.process_message(message)

    def _look_after_outbox(self) -> None:
        """Comes back when there is room, for as long as something is held."""
        if self._outbox.lost:
            self._stop_waiting_for_room()
            self._loop.call_soon(self._leave, signal.SIGHUP)
        elif self._outbox.held_bytes and not self._waits_for_room:
            self._waits_for_room = True
            self._loop.add_writer(self._out, self._go_on_writing)

    def _go_on_writing(self) -> None:
        self._outbox.flush()
        if self._outbox.held_bytes:
            return
        self._stop_waiting_for_room()
        self._look_after_outbox()
        self._catches_up, self._owes_drawing = self._owes_drawing, False
        if self._catches_up:
            self._owner.repaint()

    def _stop_waiting_for_room(self) -> None:
        if self._waits_for_room:
            self._waits_for_room = False
            self._loop.remove_writer(self._out)

    def _send_size(self) -> None:
        self._resize = None
        size = Size(*_window_size(self._out))
        self.send_message(events.Resize(size, size))

    def _listen_to_signals(self) -> None:
        if self._signals:
            return
        for number in _LEAVING:
            # Whoever ignores a hang-up (nohup) is told by the terminal itself that it is gone.
            if signal.getsignal(number) is not signal.SIG_IGN:
                # Not through the event loop, which may be what hangs.
                self._before[number] = signal.signal(number, self._hear)
        self._listen(signal.SIGWINCH, self._resized)
        self._listen(signal.SIGTSTP, self._suspend)
        self._listen(signal.SIGCONT, self._go_on)

    def _listen(self, number: signal.Signals, handler: Callable[..., None], *arguments: object) -> None:
        self._loop.add_signal_handler(number, handler, *arguments)
        self._signals.append(number)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._leave, signal.Signals(number))
        self._limit_leaving(signal.Signals(number))

    def _leave(self, number: signal.Signals) -> None:
        self._limit_leaving(number)
        self._owner.leave_for(number)

    def _limit_leaving(self, number: signal.Signals) -> None:
        if self._deadline is None:
            # Never cancelled: what comes after the terminal is given back may hang as well.
            self._deadline = threading.Timer(PATIENCE_S, self._leave_at_once, (number,))
            self._deadline.daemon = True
            self._deadline.start()

    def _leave_at_once(self, number: signal.Signals) -> None:
        """Something hangs; the terminal is given back all the same."""
        self._give_terminal_back()
        os._exit(128 + number)

    def _resized(self) -> None:
        if self._resize is None:
            self._resize = self._loop.call_later(RESIZE_S, self._send_size)

    def _suspend(self) -> None:
        self._loop.remove_reader(self._in)
        self._give_terminal_back()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _go_on(self) -> None:
        """Also after a stop that nobody announced, where the shell has used the terminal meanwhile."""
        if not self._on_screen:
            self._take_terminal()
            self._loop.add_reader(self._in, self._read)
        else:
            self.write(ENTER + (MOUSE if self._mouse else ""))
        self._send_size()
        self._owner.repaint()


def _own_descriptor(number: int) -> tuple[int, bool]:
    """A descriptor of the terminal behind `number` that never blocks, and whether it is ours alone.

    Not blocking belongs to what was opened, and the shell has opened the same: so the terminal is opened once more.
    """
    try:
        return os.open(os.ttyname(number), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC), True
    except OSError:  # it has no name here, as in some containers, or belongs to somebody else (su)
        os.set_blocking(number, False)
        return number, False


def _window_size(descriptor: int) -> tuple[int, int]:
    """Columns and rows; what a terminal had that does not tell."""
    try:
        columns, rows = os.get_terminal_size(descriptor)
    except OSError:
        columns = rows = 0
    return columns or 80, rows or 24
