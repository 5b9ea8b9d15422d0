"""Tests for ``minreg.k3s.registries.registries_yaml``. K3s itself takes each of these files so."""

from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.registries.registries_yaml import TLS, Auth, Registries, read_registries
from minreg.k3s.yaml_reader import Located, Position

FILE = """\
# comments
mirrors:
  docker.io:
    endpoint:
      - "https://registry.example.com:5000"  # first
      - http://127.0.0.1:9080
    rewrite:
      "^rancher/(.*)": "mirrorproject/rancher-images/$1"
  "*":
configs:
  "registry.example.com:5000":
    auth:
      username: user
      password: 0123
    tls:
      ca_file: /etc/ssl/ca.pem
      insecure_skip_verify: yes
"""


class ReadRegistriesTests(SynchronousTestCase):
    """Tests for ``read_registries``."""

    def read(self, text: str) -> Registries:
        """Read a file that has nothing wrong with it."""
        registries, problems = read_registries(text.encode())
        self.assertEqual(problems, [])
        return registries

    def assert_problems(self, text: str, *expected: tuple[str, int, bool]) -> Registries:
        """Compare the rule, the line and the weight of each problem."""
        registries, problems = read_registries(text.encode())
        self.assertEqual(
            [(found.rule, found.position.line, found.is_fatal) for found in problems],
            list(expected),
            text,
        )
        return registries

    def test_everything(self) -> None:
        """All that K3s knows is read, with its place."""
        registries = self.read(FILE)
        mirror = registries.mirrors["docker.io"]
        self.assertEqual(mirror.name.position, Position(3, 3))
        self.assertEqual(
            [(word.text, word.position) for word in mirror.endpoints],
            [
                ("https://registry.example.com:5000", Position(5, 9)),
                ("http://127.0.0.1:9080", Position(6, 9)),
            ],
        )
        (rewrite,) = mirror.rewrites
        self.assertEqual(
            (rewrite.pattern.text, rewrite.pattern.position.line), ("^rancher/(.*)", 8)
        )
        self.assertEqual(rewrite.replacement.position, Position(8, 24))
        self.assertEqual(registries.mirrors["*"].endpoints, ())
        config = registries.configs["registry.example.com:5000"]
        self.assertEqual(config.auth, Auth(Located("user"), Located("0123")))
        self.assertEqual(
            config.tls, TLS(ca_file=Located("/etc/ssl/ca.pem"), insecure_skip_verify=True)
        )
        assert config.tls is not None
        self.assertEqual(
            (config.tls.position, config.tls.ca_file.position.line), (Position(16, 7), 16)
        )

    def test_empty(self) -> None:
        """A file without content is none that is wrong."""
        for text in ("", "\n", "# nothing\n", "---\n", "{}", "mirrors:\nconfigs:\n", "\ufeff"):
            self.assertEqual(self.read(text), Registries())

    def test_byte_order_mark_only(self) -> None:
        """A file of just a byte-order mark is empty, in each encoding that K3s reads."""
        for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
            self.assertEqual(read_registries(mark), (Registries(), []))

    def test_binary(self) -> None:
        """A value or key that is tagged as binary is decoded as K3s decodes it."""
        expected = self.read("mirrors: {docker.io: {endpoint: ['http://127.0.0.1:9080']}}")
        url = "aHR0cDovLzEyNy4wLjAuMTo5MDgw"
        lines = f"!!binary |\n      {url[:20]}\n      {url[20:]}\n"
        for text in (
            f"mirrors: {{docker.io: {{endpoint: [!!binary {url}]}}}}",
            f"mirrors: {{docker.io: {{endpoint: [!!binary '{url}']}}}}",
            f"mirrors: {{!!binary ZG9ja2VyLmlv: {{endpoint: [!!binary {url}]}}}}",
            f"!!binary bWlycm9ycw==: {{docker.io: {{endpoint: [!!binary {url}]}}}}",
            f"mirrors:\n  docker.io:\n    endpoint:\n    - {lines}",
        ):
            self.assertEqual(self.read(text), expected, text)

    def test_binary_of_another_type(self) -> None:
        """A binary value is text, also if it is empty or says true, and must be base64."""
        self.assertEqual(
            self.read("configs: {a: {auth: {username: !!binary ''}}}").configs["a"].auth, Auth()
        )
        for text in (
            "mirrors: {a: {endpoint: [!!binary 'a b=']}}",
            "mirrors: {a: {endpoint: [!!binary abc]}}",
            "configs: {a: {tls: {insecure_skip_verify: !!binary true}}}",
            "mirrors: {a: !!binary ''}",
        ):
            self.assert_problems(text, ("wrong-type", 1, True))

    def test_nothing_given(self) -> None:
        """No settings at all are something else than empty ones."""
        configs = self.read("configs: {a: {tls: , auth: ~}, b: {tls: {}, auth: {}}, c: }").configs
        self.assertEqual((configs["a"].tls, configs["a"].auth), (None, None))
        self.assertEqual((configs["b"].tls, configs["b"].auth), (TLS(), Auth()))
        self.assertEqual((configs["c"].tls, configs["c"].auth), (None, None))

    def test_forms(self) -> None:
        """Flow style, quotes, anchors, merges and Windows' line ends are all one."""
        plain = self.read("mirrors:\n  a:\n    endpoint:\n    - b\n  c:\n    endpoint:\n    - b\n")
        for text in (
            "mirrors: {a: {endpoint: [b]}, c: {endpoint: ['b']}}",
            'mirrors:\r\n  a: &a\r\n    endpoint: ["b"]\r\n  c: *a\r\n',
            "mirrors: {a: &a {endpoint: [b]}, c: {<<: *a}}",
            "mirrors: {a: &a {endpoint: [b]}, c: {<<: [*a]}}",
        ):
            self.assertEqual(self.read(text), plain, text)

    def test_unknown_keys(self) -> None:
        """What K3s does not know does nothing there, and is a warning."""
        self.assert_problems(
            "mirror: {}\n"
            "auths: {}\n"
            "mirrors: {a: {endpoints: [b]}}\n"
            "configs:\n"
            "  a: {username: u}\n"
            "  b: {auth: {token: t}}\n"
            "  c: {tls: {caFile: c}}\n",
            *(("unknown-key", line, False) for line in (1, 2, 3, 5, 6, 7)),
        )

    def test_wrong_types(self) -> None:
        """K3s does not start where it finds something else than it wants."""
        for text, line in (
            ("- a\n", 1),
            ("a\n", 1),
            ("mirrors: [a]", 1),
            ("mirrors:\n  a:\n    endpoint: http://b\n", 3),
            ("mirrors:\n  a: [http://b]\n", 2),
            ("mirrors:\n  a:\n    endpoint:\n    - b: c\n", 4),
            ("mirrors: {a: {rewrite: [b]}}", 1),
            ("configs: {a: {auth: b}}", 1),
            ("configs: {a: {tls: {insecure_skip_verify: 'true'}}}", 1),
            ("configs: {a: {tls: {insecure_skip_verify: tRue}}}", 1),
            ("configs: {a: {tls: {ca_file: [b]}}}", 1),
            ("? [a]\n: b\n", 1),
        ):
            self.assert_problems(text, ("wrong-type", line, True))

    def test_what_is_right_is_read(self) -> None:
        """Beside something wrong, the rest is read."""
        registries = self.assert_problems(
            "mirrors:\n  a: [b]\n  c:\n    endpoint: [d]\n", ("wrong-type", 2, True)
        )
        self.assertEqual(registries.mirrors["c"].endpoints, (Located("d"),))

    def test_duplicates(self) -> None:
        """Of equal names the later counts; equal sections and tables are put together."""
        registries = self.assert_problems(
            "mirrors:\n  a: {endpoint: [b]}\n"
            "  a: {endpoint: [c], rewrite: {d: e}, rewrite: {f: g}}\n"
            "mirrors: {h: }\n"
            "configs: {a: {auth: {username: u}, auth: {password: p}, tls: {}, tls: }}\n",
            ("duplicate-key", 3, False),
            ("duplicate-key", 3, False),
            ("duplicate-key", 4, False),
            ("duplicate-key", 5, False),
            ("duplicate-key", 5, False),
        )
        self.assertEqual(list(registries.mirrors), ["a", "h"])
        mirror, config = registries.mirrors["a"], registries.configs["a"]
        self.assertEqual(mirror.endpoints, (Located("c"),))
        self.assertEqual([rewrite.pattern.text for rewrite in mirror.rewrites], ["d", "f"])
        self.assertEqual((config.auth, config.tls), (Auth(Located("u"), Located("p")), None))

    def test_what_comes_of_duplicates(self) -> None:
        """It is said which: yaml.v2 adds to the fields of a structure, and replaces all else."""
        for text, takes in (
            ("mirrors: {a: }\nmirrors: {b: }\n", "adds the second to the first"),
            ("mirrors: {a: }\nmirrors: \n", "uses only the second"),
            ("mirrors: {a: {endpoint: [b]}, a: {endpoint: [c]}}", "uses only the second"),
            ("configs: {a: {tls: {}}, a: {auth: {}}}", "uses only the second"),
            ("configs: {a: {auth: {}, auth: {}}}", "adds the second to the first"),
            ("configs: {a: {tls: {}, tls: {}}}", "adds the second to the first"),
            ("mirrors: {a: {endpoint: [b], endpoint: [c]}}", "uses only the second"),
            ("mirrors: {a: {rewrite: {b: c}, rewrite: {}}}", "adds the second to the first"),
            ("mirrors: {a: {rewrite: {b: c, b: d}}}", "uses only the second"),
        ):
            _, (problem,) = read_registries(text.encode())
            fix = f": K3s {takes}, without a message; keep one"
            self.assertTrue(problem.message.endswith(fix), (text, problem))

    def test_emptied(self) -> None:
        """A second section without content clears the first."""
        registries = self.assert_problems(
            "mirrors: {a: }\nmirrors:\n", ("duplicate-key", 2, False)
        )
        self.assertEqual(registries.mirrors, {})

    def test_second_document(self) -> None:
        """K3s sees nothing of what follows ``---``."""
        registries = self.assert_problems(
            "mirrors: {a: }\n---\nmirrors: {b: }\n", ("second-document", 3, False)
        )
        self.assertEqual(list(registries.mirrors), ["a"])
