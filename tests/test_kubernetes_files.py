"""Tests for how files of manifests are result and read."""

import contextlib
import io
import os
import threading

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.manifests.image_references import find_in_paths
from minreg.k3s.manifests.manifest_files import ManifestsInvalid, read_files


class FilesTests(SynchronousTestCase):
    """Tests for ``read_files`` and ``find_in_paths``."""

    def setUp(self) -> None:
        """Make a directory."""
        self.directory = os.path.abspath(self.mktemp())
        os.makedirs(self.directory)

    def write(self, name: str, content: bytes = b"a: b\n") -> str:
        """Write a file, and return its path."""
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def read(self, path: str, standard_input: bytes = b"") -> dict[str, str]:
        """Read files."""
        files = read_files(path, io.BytesIO(standard_input))
        return {file.name: file.text for file in files}

    def names(self) -> list[str]:
        """Name the files of the directory that are read."""
        return [os.path.relpath(name, self.directory) for name in self.read(self.directory)]

    def refusal(self, path: str) -> str:
        """Read what cannot be read."""
        return str(self.assertRaises(ManifestsInvalid, self.read, path))

    def test_directory(self) -> None:
        """All manifests in a directory and below it are read, in order."""
        for name in (
            "b.yml",
            "a.yaml",
            "below/deep/c.json",
            "below/UPPER.YAML",
            "d.txt",
            ".hidden.yaml",
            "e.yaml.bak",
        ):
            self.write(name)
        self.assertEqual(
            self.names(), ["a.yaml", "b.yml", "below/UPPER.YAML", "below/deep/c.json"]
        )

    def test_skip(self) -> None:
        """Files with a .skip file beside them are skipped, as by K3s."""
        for name in ("a.yaml", "a.yaml.skip", "b.yaml"):
            self.write(name)
        self.assertEqual(self.names(), ["b.yaml"])

    def test_links(self) -> None:
        """Links to directories are followed at any depth, links behind them are not."""
        elsewhere = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(elsewhere, "deeper"))
        with open(os.path.join(elsewhere, "b.yaml"), "wb"):
            pass
        self.write("a.yaml")
        os.makedirs(os.path.join(self.directory, "below", "deep"))
        os.symlink(elsewhere, os.path.join(self.directory, "below", "deep", "link"))
        os.symlink(self.directory, os.path.join(elsewhere, "deeper", "back"))
        self.assertEqual(self.names(), ["a.yaml", "below/deep/link/b.yaml"])

    def test_circles(self) -> None:
        """However many links lead upwards, each directory is read once more at most."""
        self.write("below/a.yaml")
        for number in range(20):
            os.symlink("..", os.path.join(self.directory, "below", f"up{number:02}"))
            os.symlink(".", os.path.join(self.directory, f"here{number:02}"))
        [own, linked] = self.names()
        self.assertEqual(own, "below/a.yaml")
        self.assertTrue(linked.startswith("here"))
        self.assertTrue(linked.endswith("/below/a.yaml"))

    def test_file(self) -> None:
        """A file that is named itself may have any name."""
        path = self.write("x", b"\xef\xbb\xbfa: \xc3\xa9\n")
        self.assertEqual(self.read(path), {path: "a: é\n"})

    def test_standard_input(self) -> None:
        """A hyphen is the standard input."""
        self.assertEqual(self.read("-", b"a: b\n"), {"(standard input)": "a: b\n"})

    def test_refused(self) -> None:
        """What cannot be read is said to be that, in one line."""
        os.mkfifo(os.path.join(self.directory, "fifo.yaml"))
        for path, reason in (
            (self.directory + "/none", "is neither a file nor a directory"),
            ("/dev/null", "is neither a file nor a directory"),
            (self.write("sub/x.txt").removesuffix("/x.txt"), "has no files whose names end in"),
            (self.write("latin.yaml", b"a: \xe9"), "latin.yaml is not UTF-8"),
            (self.write("\x1b]0;x\x07\n.yaml", b"\xe9"), r"\x1b]0;x\x07\n.yaml is not UTF-8"),
            (self.write("large.yaml", b"#" * (16 * 1024 * 1024 + 1)), "is larger than"),
        ):
            refusal = self.refusal(path)
            self.assertIn(reason, refusal)
            self.assertTrue(refusal.isprintable())

    def test_pipe(self) -> None:
        """A pipe that is named is read as the standard input is, and no further."""
        for content, expected in ((b"a: b\n", "a: b\n"), (b"#" * (17 * 1024 * 1024), None)):
            reading, writing = os.pipe()
            writer = threading.Thread(target=self.feed, args=(writing, content), daemon=True)
            writer.start()
            path = f"/dev/fd/{reading}"
            if expected is None:
                self.assertIn("is larger than", self.refusal(path))
            else:
                self.assertEqual(self.read(path), {path: expected})
            os.close(reading)
            writer.join()

    def feed(self, descriptor: int, content: bytes) -> None:
        """Write into a pipe as long as it is read, and close it."""
        with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as file:
            file.write(content)

    def test_fifo(self) -> None:
        """What is no file is not waited for in a directory."""
        os.mkfifo(os.path.join(self.directory, "fifo.yaml"))
        self.assertEqual(self.names(), [])

    def test_complaints(self) -> None:
        """Each file that is wrong is a line, not only the first."""
        self.write("a.yaml", b"image: [\n")
        self.write("b.yaml", b"containers:\n- image: A\n")
        refusal = self.assertRaises(
            ManifestsInvalid, find_in_paths, [self.directory], io.BytesIO()
        )
        self.assertEqual(len(str(refusal).splitlines()), 2)

    def test_images(self) -> None:
        """What is right is read from all of them."""
        self.write("a.yaml", b"containers: [{image: 'a:1'}]\n")
        result = find_in_paths(
            [self.directory, "-"], io.BytesIO(b"containers: [{image: 'b:1'}]\n")
        )
        self.assertEqual(
            [one.image.repository for one in result.images], ["library/a", "library/b"]
        )
