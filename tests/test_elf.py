"""Tests for the programs in ``minreg.fill.sample``; ``tests/e2e`` runs them."""

import struct

from twisted.trial.unittest import SynchronousTestCase

from minreg.fill.sample import PROGRAMS
from tests.elf import make_program

_MACHINES = {"amd64": 62, "arm64": 183}


class ProgramsTests(SynchronousTestCase):
    """Tests for ``PROGRAMS``."""

    def test_assembled(self) -> None:
        """The constants are what the assembler of the tests makes."""
        self.assertEqual(
            PROGRAMS,
            {
                architecture: make_program(
                    architecture, f"Hello from minreg (linux/{architecture})"
                )
                for architecture in _MACHINES
            },
        )

    def test_header(self) -> None:
        """The header names the machine and the entry point."""
        for architecture, program in PROGRAMS.items():
            kind, machine, _, entry = struct.unpack_from("<HHIQ", program, 16)
            self.assertEqual(program[:7], b"\x7fELF\x02\x01\x01")
            self.assertEqual((kind, machine, entry), (2, _MACHINES[architecture], 0x400078))

    def test_segment(self) -> None:
        """The whole file is loaded, readable and executable, and not writable."""
        for program in PROGRAMS.values():
            kind, flags, offset, _, _, size, size_in_memory, _ = struct.unpack_from(
                "<IIQQQQQQ", program, 64
            )
            self.assertEqual((kind, flags, offset), (1, 5, 0))
            self.assertEqual((size, size_in_memory), (len(program), len(program)))

    def test_line(self) -> None:
        """The line ends the file, and its length is what the program writes."""
        program = PROGRAMS["amd64"]
        line = b"Hello from minreg (linux/amd64)\n"
        self.assertTrue(program.endswith(b"\x0f\x05" + line))
        self.assertIn(b"\xba" + struct.pack("<I", len(line)), program)
