"""Tests for ``minreg.log``."""

import io
import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from minreg.log import RequestRecord, json_line, make_observer, text_line


def event(record: RequestRecord | None = None, **fields: object) -> LogEvent:
    """Make the event of a request, or of something else if it has fields of its own."""
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
    """Make an event that is not about a request."""
    return {
        "log_time": 1_700_000_000.5,
        "log_level": LogLevel.warn,
        "log_format": "hello",
        **fields,
    }


class TextLineTests(SynchronousTestCase):
    """Tests for ``text_line``."""

    def test_line(self) -> None:
        """An event is a line with its time, its level and what happened."""
        self.assertEqual(
            text_line(event()),
            "2023-11-14T22:13:20.500Z warn 192.0.2.7 GET /v2/ ns='' 200 2B 0.000s 'curl'\n",
        )

    def test_legacy(self) -> None:
        """What older parts of Twisted log comes out as well."""
        line = text_line({"log_time": 0.0, "log_format": "{log_text}", "log_text": "x"})
        self.assertEqual(line, "1970-01-01T00:00:00.000Z info x\n")

    def test_fault(self) -> None:
        """A fault of our own has its traceback behind it."""
        line = text_line(plain_event(log_failure=Failure(ValueError("why"))))
        self.assertIn("\nTraceback", line)
        self.assertIn("why\n", line)

    @given(st.text())
    def test_cannot_be_forged(self, user_agent: str) -> None:
        """Nothing that a client sends makes a second line, or moves a terminal's cursor."""
        record = RequestRecord("192.0.2.7", "GET", user_agent, user_agent=user_agent)
        line = text_line(event(record))
        self.assertTrue(line.removesuffix("\n").isprintable())


class JsonLineTests(SynchronousTestCase):
    """Tests for ``json_line``."""

    def test_request(self) -> None:
        """A request has its fields, and no sentence."""
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
        """What Twisted adds to an event for older observers stays out."""
        added = {"time": 1.0, "isError": 0, "format": "x", "message": (), "system": "-"}
        self.assertEqual(
            json_line(plain_event(event="x", **added)), json_line(plain_event(event="x"))
        )

    def test_own_event(self) -> None:
        """An event of the daemon has its fields and a sentence."""
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
        """A fault of our own has its traceback in a field."""
        line = json_line(plain_event(log_failure=Failure(ValueError("why"))))
        self.assertEqual(line.count("\n"), 1)
        self.assertIn("why", json.loads(line)["traceback"])

    @given(st.text())
    def test_cannot_be_forged(self, user_agent: str) -> None:
        """Whatever a client sends, there is one line with one JSON object."""
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
        """The record for another client has lines of its own."""
        record = RequestRecord("192.0.2.7", "GET", "/v2/")
        text_line(event(record))
        line = text_line(event(record.for_client("192.0.2.8")))
        self.assertIn("192.0.2.8 GET /v2/", line)


class MakeObserverTests(SynchronousTestCase):
    """Tests for ``make_observer``."""

    def test_formats(self) -> None:
        """An observer writes lines in the format that it was made for."""
        for log_format, beginning in (("text", "20"), ("json", "{")):
            stream = io.StringIO()
            Logger(observer=make_observer(log_format, stream)).info("hello")
            self.assertTrue(stream.getvalue().startswith(beginning))
            self.assertIn("hello", stream.getvalue())
