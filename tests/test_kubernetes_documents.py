"""Tests for ``minreg.k3s.manifests.documents``."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from minreg.k3s.manifests.documents import DocumentsInvalid, Value, read_documents

VALUES = st.recursive(
    st.text(max_size=5) | st.none(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values),
    max_leaves=10,
)


def read(text: str) -> list[Value]:
    """Read all documents."""
    return list(read_documents(text))


class ReadTests(SynchronousTestCase):
    """Tests for what is read."""

    def test_lines(self) -> None:
        """A scalar knows its line, in each of several documents."""
        text = "# x\na: b\n--- # second\n\nc: [d,\n  e]\n---\r\nf: >-\n  g\n"
        first, second, third = read(text)
        self.assertEqual((first, second, third), ({"a": "b"}, {"c": ["d", "e"]}, {"f": "g"}))
        lines = [first["a"].line, *(one.line for one in second["c"]), third["f"].line]
        self.assertEqual(lines, [2, 5, 6, 8])

    def test_scalars(self) -> None:
        """All scalars are text as it stands, but for null."""
        [value] = read("a: 1.10\nb: true\nc: null\nd: ~\ne:\nf: ''\ng: 'null'\nh: 0x10\n")
        self.assertEqual(
            value,
            {
                "a": "1.10",
                "b": "true",
                "c": None,
                "d": None,
                "e": None,
                "f": "",
                "g": "null",
                "h": "0x10",
            },
        )

    def test_aliases(self) -> None:
        """An alias is the very value that its anchor marks; merged values do not override."""
        [value] = read("a: &x {k: v}\nb: *x\nc: {<<: *x, l: w}\nd: {<<: [*x, {k: z}], k: u}\n")
        self.assertIs(value["a"], value["b"])
        self.assertEqual(value["c"], {"k": "v", "l": "w"})
        self.assertEqual(value["d"], {"k": "u"})

    def test_itself(self) -> None:
        """A value may hold itself."""
        [value] = read("&x {a: *x, b: [*x], <<: *x}")
        self.assertIs(value["a"], value)

    def test_tags(self) -> None:
        """No tag makes an object."""
        [value] = read("a: !!python/object/apply:os.system [exit]\nb: !<tag:x> y\n")
        self.assertEqual(value, {"a": ["exit"], "b": "y"})

    def test_block(self) -> None:
        """The text of a block scalar begins on the line after its indicator."""
        [value] = read("a: |-\n  b\nc: >\n  d\ne: 'f'\n")
        lines = [(text.line, text.first_line) for text in value.values()]
        self.assertEqual(lines, [(1, 2), (3, 4), (5, 5)])

    def test_later_documents(self) -> None:
        """An error in a later document has its line in the file."""
        error = self.assertRaises(DocumentsInvalid, read, "a: b\n---\nc: [\n---\nimage: x\n")
        self.assertTrue(str(error).startswith("4: "), str(error))

    def test_json(self) -> None:
        """JSON is read as that, tabs and all."""
        self.assertEqual(
            read('\ufeff{\n\t"image": "\\u0041",\n\t"b": 1}'), [{"image": "A", "b": 1}]
        )
        self.assertEqual(read("{a: b}"), [{"a": "b"}])

    def test_directives(self) -> None:
        """A document may say of which version of YAML it is."""
        self.assertEqual(read("# image\n%YAML 1.1\n--- {image: a}\n")[-1], {"image": "a"})

    def test_byte_order_mark(self) -> None:
        """An editor's mark does no harm."""
        self.assertEqual(read("\ufeffa: b\n"), [{"a": "b"}])

    def test_nothing(self) -> None:
        """Nothing has no documents, or empty ones."""
        for text in ("", "\n", "# x\n", "---\n", "---\n---\n"):
            self.assertEqual([one for one in read(text) if one is not None], [], text)

    @given(st.lists(VALUES, min_size=1, max_size=3))
    def test_like_json(self, values: list[Any]) -> None:
        """What another program wrote is what is read."""
        text = "\n---\n".join(json.dumps({"a": value}, ensure_ascii=False) for value in values)
        if any(not char.isprintable() for char in text.replace("\n", "")):
            return
        self.assertEqual(read(f"---\n{text}\n"), [{"a": value} for value in values])


class RefuseTests(SynchronousTestCase):
    """Tests for what is no YAML, or too much of it."""

    def reason(self, text: str) -> str:
        """Say why a text is refused."""
        return str(self.assertRaises(DocumentsInvalid, read, text))

    def test_lines(self) -> None:
        """The line is named where it stops to be YAML."""
        for text, reason in {
            "a: b\n\tc: d\n": "2: ",
            "a: 1\n---\nb: {{ .Values.x }}:1\n": "3: ",
            "a: 'x\n": "2: while scanning a quoted scalar, found unexpected end of stream",
            "a:\n- b\nc\n": "4: ",
            "a: *b\n": "1: there is no anchor &b",
            "a: b\nc: \x07\n": "2: the character 0x07 is not allowed in YAML",
            'a: "\\U99999999"\n': "1: while parsing a quoted scalar, found invalid Unicode",
            '{"a": "b"': "2: ",
            "a: b\nc: [" + "[" * 200: "2: values are nested more than 100 times",
        }.items():
            self.assertIn(reason, self.reason(text), text)
            self.assertTrue(self.reason(text).isprintable())

    def test_deep_json(self) -> None:
        """JSON that is nested without end is refused as YAML is."""
        self.assertIn("nest", self.reason("[" * 100_000))

    def test_bombs(self) -> None:
        """Aliases of aliases cost nothing, and merging has a bound."""
        lists = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 60))]
        [value] = read("\n".join(lists))
        self.assertEqual(len(value), 60)
        many = "{" + ",".join(f"k{n}: v" for n in range(2000)) + "}"
        merges = "".join(f"m{n}: {{<<: *a}}\n" for n in range(100))
        self.assertIn(
            "the document merges more than 100000 values", self.reason(f"a: &a {many}\n{merges}")
        )

    def test_merged_nothing(self) -> None:
        """Merging what is empty, or cannot be merged, has a bound, too, and names its line."""
        for nothing in ("{}", "x"):
            many = f"a: &a [{','.join([nothing] * 1000)}]\n"
            for first, merge, line in (("b:\n", "  <<: *a\n", 103), ("", "b: {<<: *a}\n", 102)):
                [value] = read(many + first + merge * 100)
                self.assertEqual(value["b"], {})
                self.assertEqual(
                    self.reason(many + first + merge * 101),
                    f"{line}: the document merges more than 100000 values",
                )

    @settings(max_examples=300, deadline=None)
    @given(st.text(st.sampled_from("ab:-?[]{}&*!|>'\"%@`#,\n\t \\x0<~é\x07\ud800"), max_size=40))
    def test_anything(self, text: str) -> None:
        """Any text is read, or refused with a line."""
        try:
            read(text)
        except DocumentsInvalid as error:
            self.assertRegex(str(error), r"^\d+: ")
