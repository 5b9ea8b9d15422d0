"""Tests for ``minreg.fill.sample``."""

import struct

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.sample import ARCHITECTURES, make_program

_MACHINES = {"amd64": 62, "arm64": 183}


class MakeProgramTests(SynchronousTestCase):
    """Tests for ``make_program``; that they run is shown in ``tests/e2e``."""

    def test_header(self) -> None:
        """A program says which machine it is for, and where it begins."""
        for architecture in ARCHITECTURES:
            program = make_program(architecture, "Hello")
            kind, machine, _, entry = struct.unpack_from("<HHIQ", program, 16)
            self.assertEqual(program[:7], b"\x7fELF\x02\x01\x01")
            self.assertEqual((kind, machine, entry), (2, _MACHINES[architecture], 0x400078))

    def test_segment(self) -> None:
        """The whole file is loaded, readable and executable, and never writable."""
        program = make_program("amd64", "Hello")
        kind, flags, offset, _, _, size, size_in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", program, 64
        )
        self.assertEqual((kind, flags, offset), (1, 5, 0))
        self.assertEqual((size, size_in_memory), (len(program), len(program)))

    def test_line(self) -> None:
        """The line ends the file, and its length is what the program writes."""
        program = make_program("amd64", "Hello from here")
        self.assertTrue(program.endswith(b"\x0f\x05Hello from here\n"))
        self.assertIn(b"\xba" + struct.pack("<I", 16), program)
