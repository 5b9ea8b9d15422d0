"""Tests for ``minreg.log``."""

import io
import json
import os
import tempfile

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from minreg.log import (
    RequestRecord,
    is_journal,
    journal_line,
    json_line,
    make_observer,
    text_line,
)


def event(record: RequestRecord | None = None, **fields: object) -> LogEvent:
    """Return the event of a request or, with fields, of something else."""
    if record is None:
        record = RequestRecord("192.0.2.7", "GET", "/v2/", "", 200, 2, "curl")
    return {
        "log_time": 1_700_000_000.5,
        "log_level": LogLevel.warn,
        "log_namespace": "minreg.access",
        "log_format": "{request}",
        "event": "request",
        "request": record,
        **fields,
    }


def plain_event(**fields: object) -> LogEvent:
    """Return an event that is not about a request."""
    return {
        "log_time": 1_700_000_000.5,
        "log_level": LogLevel.warn,
        "log_format": "hello",
        **fields,
    }


class TextLineTests(SynchronousTestCase):
    """Tests for ``text_line``."""

    def test_line(self) -> None:
        """An event is one line with its time, its level and its message."""
        self.assertEqual(
            text_line(event()),
            "2023-11-14T22:13:20.500Z warn 192.0.2.7 GET /v2/ ns='' 200 2B 0.000s 'curl'\n",
        )

    def test_legacy(self) -> None:
        """Events of Twisted's legacy log are written too."""
        line = text_line({"log_time": 0.0, "log_format": "{log_text}", "log_text": "x"})
        self.assertEqual(line, "1970-01-01T00:00:00.000Z info x\n")

    def test_fault(self) -> None:
        """An error in minreg is followed by its traceback."""
        line = text_line(plain_event(log_failure=Failure(ValueError("why"))))
        self.assertIn("\nTraceback", line)
        self.assertIn("why\n", line)

    def test_life_cycle(self) -> None:
        """Twisted's messages about its own start and stop are left out, also in the journal."""
        for namespace, text in (
            ("twisted.scripts._twistd_unix.UnixAppLogger", "twistd 26.4.0 starting up."),
            ("twisted.application.app.AppLogger", "Server Shut Down."),
            ("twisted.internet.base", "Received SIGTERM, shutting down."),
            ("minreg.daemon.x.Factory", "Starting factory <x>"),
            ("log_legacy", "RegistrySite starting on 9080"),
            ("log_legacy", "(TCP Port 9080 Closed)"),
        ):
            said: LogEvent = {
                "log_level": LogLevel.info,
                "log_namespace": namespace,
                "log_format": "{log_text}" if namespace == "log_legacy" else text,
                "log_text": text,
            }
            self.assertEqual((text_line(said), journal_line(said)), ("", ""), text)
            self.assertIn(text, text_line({**said, "log_level": LogLevel.warn}))
            self.assertEqual(json.loads(json_line(said))["message"], text)

    def test_of_twisted(self) -> None:
        """Twisted's messages about connections are not left out."""
        for namespace in ("twisted.internet.tcp", "log_legacy"):
            said: LogEvent = {
                "log_level": LogLevel.info,
                "log_namespace": namespace,
                "log_format": "Could not accept new connection (EMFILE)",
                "log_text": "Could not accept new connection (EMFILE)",
            }
            self.assertIn("(EMFILE)", text_line(said))

    @given(st.text())
    def test_cannot_be_forged(self, user_agent: str) -> None:
        """No text from a client makes a second line, or moves a terminal's cursor."""
        record = RequestRecord("192.0.2.7", "GET", user_agent, user_agent=user_agent)
        line = text_line(event(record))
        self.assertTrue(line.removesuffix("\n").isprintable())


class JournalLineTests(SynchronousTestCase):
    """Tests for ``journal_line`` and ``is_journal``."""

    def test_priorities(self) -> None:
        """A line has its priority and its level, and no time."""
        for level, priority in (
            (LogLevel.debug, "<7>debug"),
            (LogLevel.info, "<6>info"),
            (LogLevel.warn, "<4>warn"),
            (LogLevel.error, "<3>error"),
            (LogLevel.critical, "<2>critical"),
        ):
            line = journal_line(event(log_level=level))
            self.assertEqual(line, f"{priority} 192.0.2.7 GET /v2/ ns='' 200 2B 0.000s 'curl'\n")

    def test_traceback(self) -> None:
        """Each line of a traceback has a priority, because the journal stores it separately."""
        failed = event(log_level=LogLevel.critical, log_failure=Failure(ValueError("why")))
        lines = journal_line(failed).splitlines()
        self.assertGreater(len(lines), 2)
        self.assertEqual({line[:3] for line in lines}, {"<2>"})

    def test_is_journal(self) -> None:
        """The journal is the file that JOURNAL_STREAM names, by device and inode."""
        with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as other:
            status = os.fstat(file.fileno())
            environment = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
            self.assertTrue(is_journal(file, environment))
            self.assertFalse(is_journal(other, environment))
            self.assertFalse(is_journal(file, {}))
            for text in ("", "x", f"{status.st_dev}:"):
                self.assertFalse(is_journal(file, {"JOURNAL_STREAM": text}))
            self.assertFalse(is_journal(io.StringIO(), environment))
        self.assertFalse(is_journal(file, environment))


class JsonLineTests(SynchronousTestCase):
    """Tests for ``json_line``."""

    def test_request(self) -> None:
        """A request has its fields, and no message."""
        self.assertEqual(
            json.loads(json_line(event())),
            {
                "time": "2023-11-14T22:13:20.500Z",
                "level": "warn",
                "event": "request",
                "client": "192.0.2.7",
                "method": "GET",
                "path": "/v2/",
                "ns": "",
                "status": 200,
                "bytes": 2,
                "user_agent": "curl",
                "failure": "",
                "seconds": 0.0,
            },
        )

    def test_legacy_fields(self) -> None:
        """Fields that Twisted adds for legacy observers are left out."""
        added = {"time": 1.0, "isError": 0, "format": "x", "message": (), "system": "-"}
        self.assertEqual(
            json_line(plain_event(event="x", **added)), json_line(plain_event(event="x"))
        )

    def test_own_event(self) -> None:
        """An event of the daemon has its fields and a message."""
        line = json.loads(json_line(plain_event(event="start")))
        self.assertEqual((line["event"], line["message"]), ("start", "hello"))

    def test_foreign_event(self) -> None:
        """An event of Twisted is a message, without Twisted's own fields."""
        line = json_line({"log_time": 0.0, "log_format": "hello", "isError": 0, "system": "-"})
        self.assertEqual(
            json.loads(line),
            {
                "time": "1970-01-01T00:00:00.000Z",
                "level": "info",
                "event": "message",
                "message": "hello",
            },
        )

    def test_fault(self) -> None:
        """An error in minreg has its traceback in a field."""
        line = json_line(plain_event(log_failure=Failure(ValueError("why"))))
        self.assertEqual(line.count("\n"), 1)
        self.assertIn("why", json.loads(line)["traceback"])

    @given(st.text())
    def test_cannot_be_forged(self, user_agent: str) -> None:
        """Any text from a client gives one line with one JSON object."""
        line = json_line(event(RequestRecord("192.0.2.7", user_agent=user_agent)))
        self.assertEqual(line.count("\n"), 1)
        self.assertEqual(json.loads(line)["user_agent"], user_agent[:1024])


class RequestRecordTests(SynchronousTestCase):
    """Tests for ``RequestRecord``."""

    def test_formatted_once(self) -> None:
        """The lines of a record are formatted once for each format; only the time differs."""
        record = RequestRecord("192.0.2.7", "GET", "/v2/")
        for line in (text_line, json_line):
            first, second = event(record), event(record, log_time=1_700_000_001.5)
            expected = event(RequestRecord("192.0.2.7", "GET", "/v2/"), log_time=1_700_000_001.5)
            self.assertNotEqual(line(first), line(second))
            self.assertEqual(line(second), line(expected))
        self.assertEqual(len(record._lines), 2)

    def test_other_client(self) -> None:
        """The record for another client has its own lines."""
        record = RequestRecord("192.0.2.7", "GET", "/v2/")
        text_line(event(record))
        line = text_line(event(record.for_client("192.0.2.8")))
        self.assertIn("192.0.2.8 GET /v2/", line)


class MakeObserverTests(SynchronousTestCase):
    """Tests for ``make_observer``."""

    def test_formats(self) -> None:
        """An observer writes lines in its format."""
        for log_format, beginning in (("text", "20"), ("json", "{")):
            stream = io.StringIO()
            Logger(observer=make_observer(log_format, stream)).info("hello")
            self.assertTrue(stream.getvalue().startswith(beginning))
            self.assertIn("hello", stream.getvalue())

    def test_journal(self) -> None:
        """Text is formatted for the journal; JSON is always the same."""
        for log_format, beginning in (("text", "<6>info hello"), ("json", "{")):
            stream = io.StringIO()
            observer = make_observer(log_format, stream, for_journal=True)
            Logger(observer=observer).info("hello")
            self.assertTrue(stream.getvalue().startswith(beginning))

    def test_nothing(self) -> None:
        """An event that is left out writes nothing."""
        stream = io.StringIO()
        logger = Logger("twisted.internet.base", observer=make_observer("text", stream))
        logger.info("Main loop terminated.")
        self.assertEqual(stream.getvalue(), "")
