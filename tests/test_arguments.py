"""Tests for ``minreg.commands.arguments``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.commands.arguments import check_platforms, parse_platforms, suggest_platform
from minreg.commands.reports import WrongUsage
from minreg.oci.platforms import Platform


class PlatformTests(SynchronousTestCase):
    """Tests for platforms on the command line."""

    def test_good(self) -> None:
        """A platform is accepted unchanged, whether or not it is known."""
        for text in (
            "linux/amd64",
            "linux/arm/v7",
            "linux/arm64/v8",
            "linux/riscv64",
            "linux/mips64le",
            "windows/amd64",
            "plan9/zx81",
        ):
            self.assertEqual(suggest_platform(text), "")
            self.assertEqual(parse_platforms([text]), (Platform.parse(text),))
        self.assertEqual(parse_platforms(["linux/amd64", "all"]), ())

    def test_near(self) -> None:
        """A similar text is refused, with the platform as a suggestion."""
        for text, near in (
            ("amd64", "linux/amd64"),
            ("x86_64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux-amd64", "linux/amd64"),
            ("linux_arm64", "linux/arm64"),
            ("Linux/AMD64", "linux/amd64"),
            ("amd64/linux", "linux/amd64"),
            ("aarch64", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("armv7l", "linux/arm/v7"),
            ("arm", "linux/arm/v7"),
            ("linx/amd64", "linux/amd64"),
            ("linux/amd46", "linux/amd64"),
        ):
            self.assertEqual((text, suggest_platform(text)), (text, near))
            error = self.assertRaises(WrongUsage, parse_platforms, [text])
            self.assertIn(f"did you mean {near}?", error.message)

    def test_neither(self) -> None:
        """Other texts have no suggestion."""
        error = self.assertRaises(WrongUsage, parse_platforms, ["toaster"])
        self.assertEqual(
            error.message, "'toaster' is not a platform such as linux/amd64 or linux/arm/v7"
        )

    def test_of_nodes(self) -> None:
        """A node's platform may be spelled as by its kernel; a mistake has a suggestion."""
        check_platforms(["linux/x86_64", "all"])
        error = self.assertRaises(WrongUsage, check_platforms, ["amd64"])
        self.assertIn("did you mean linux/amd64?", error.message)
