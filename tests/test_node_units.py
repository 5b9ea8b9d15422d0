"""Tests for ``minreg.node.units``."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.node.units import (
    InstalledPaths,
    make_command_link,
    make_links,
    make_units,
    parse_unit,
)

_PROGRAM = "/opt/other/bin/minreg"


class MakeUnitsTests(SynchronousTestCase):
    """Tests for ``make_units``."""

    def unit(self, name: str, root: str) -> list[str]:
        """Return the lines of a unit."""
        (unit,) = (unit for unit in make_units(_PROGRAM, root) if unit.path.endswith(f"/{name}"))
        self.assertEqual(unit.path, f"/etc/systemd/system/{name}")
        return unit.text.splitlines()

    def test_program(self) -> None:
        """The service runs the program that it was installed with."""
        service = "\n".join(self.unit("minreg.service", "/srv/registry"))
        self.assertIn(f"\nExecStart={_PROGRAM} serve --root ", service)
        self.assertNotIn("/opt/minreg/", service)

    def test_root(self) -> None:
        """The root replaces the default one everywhere in the units."""
        service = self.unit("minreg.service", "/srv/registry")
        place = self.unit("minreg-root.service", "/srv/registry")
        self.assertIn("BindReadOnlyPaths=-/srv/registry", service)
        self.assertIn("ExecStart=mkdir -p -m 0755 /srv", place)
        self.assertIn("ExecStart=mkdir -p -m 0755 /srv/registry", place)
        self.assertNotIn("rancher/k3s/server", "\n".join(service + place))

    def test_root_of_rke2(self) -> None:
        """Below /var, which is hidden from the service, the parent directory stays closed."""
        place = self.unit("minreg-root.service", "/var/lib/rancher/rke2/server/registry")
        self.assertIn("ExecStart=mkdir -p -m 0700 /var/lib/rancher/rke2/server", place)

    def test_mounts(self) -> None:
        """The mount units of the root's directories come first (systemd-escape(1))."""
        for root, mounts in (
            ("/srv/registry", "srv.mount srv-registry.mount"),
            (
                "/.a/b-c/.d_+@",
                r"\x2ea.mount \x2ea-b\x2dc.mount \x2ea-b\x2dc-.d_\x2b\x40.mount",
            ),
        ):
            place = self.unit("minreg-root.service", root)
            self.assertIn(f"Wants={mounts}", place)
            self.assertIn(f"After={mounts}", place)

    def test_before_k3s(self) -> None:
        """The units run before K3s and RKE2 start, as server or agent."""
        order = "Before=k3s.service k3s-agent.service rke2-server.service rke2-agent.service"
        for name in ("minreg.socket", "minreg.service", "minreg-route.service"):
            self.assertIn(order, self.unit(name, "/srv/registry"))

    def test_no_network(self) -> None:
        """The registry does not wait for the network."""
        for name in ("minreg.socket", "minreg.service", "minreg-root.service"):
            self.assertNotIn(
                "network",
                " ".join(
                    line for line in self.unit(name, "/srv/registry") if not line.startswith("#")
                )
                .lower()
                .replace("privatenetwork", ""),
            )


class ParseChoiceTests(SynchronousTestCase):
    """Tests for ``parse_unit``."""

    def test_service(self) -> None:
        """The paths are found in a unit, even if it was changed by hand."""
        units = {unit.path: unit.text for unit in make_units(_PROGRAM, "/srv/registry")}
        service = units["/etc/systemd/system/minreg.service"]
        for text in (service, service.replace("RestartSec=1", "RestartSec=5")):
            self.assertEqual(parse_unit(text), InstalledPaths(_PROGRAM, "/srv/registry"))

    def test_twistd(self) -> None:
        """A service of an earlier version ran twistd, which has minreg beside it."""
        command = "/opt/minreg/bin/twistd --nodaemon --pidfile= minreg --root /srv/registry"
        text = f"[Service]\nExecStart={command} --wait-for-root --listen systemd\n"
        expected = InstalledPaths("/opt/minreg/bin/minreg", "/srv/registry")
        self.assertEqual(parse_unit(text), expected)

    def test_other(self) -> None:
        """A unit that runs another program has no paths."""
        self.assertEqual(parse_unit("[Service]\nExecStart=/bin/true\n"), InstalledPaths())


class MakeLinksTests(SynchronousTestCase):
    """Tests for ``make_links``."""

    def test_route(self) -> None:
        """The route is enabled only on request."""
        links = {link.path: link.target for link in make_links(with_route=True)}
        base = "/etc/systemd/system"
        wants = f"{base}/multi-user.target.wants"
        self.assertEqual(
            links,
            {
                f"{base}/sockets.target.wants/minreg.socket": f"{base}/minreg.socket",
                f"{wants}/minreg.service": f"{base}/minreg.service",
                f"{wants}/minreg-route.service": f"{base}/minreg-route.service",
            },
        )
        self.assertEqual(len(make_links(with_route=False)), 2)


class MakeCommandLinkTests(SynchronousTestCase):
    """Tests for ``make_command_link``."""

    def test_former(self) -> None:
        """The command is beside the daemon's program, also for an earlier installation."""
        link = make_command_link(_PROGRAM, "/opt/before/bin/minreg")
        assert link is not None
        self.assertEqual(
            (link.path, link.target, link.former),
            ("/usr/local/bin/minreg", "/opt/other/bin/minreg", ("/opt/before/bin/minreg",)),
        )

    def test_itself(self) -> None:
        """A command at the link's own path needs no link."""
        self.assertIsNone(make_command_link("/usr/local/bin/minreg", None))
