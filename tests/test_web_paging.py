"""Tests for pages of the lists in ``minreg.web.registry.endpoints``."""

from tests.support import Response, WebTestCase

TAGS = ["1", "1.2", "A", "_x", "a", "a-b", "v1"]


class PagingTestCase(WebTestCase):
    """Requests lists in pages."""

    def page(self, path: str) -> Response:
        """Request a page that exists."""
        response = self.request(path)
        self.assertEqual(response.code, 200)
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("content-length"), str(len(response.body)))
        return response

    def follow(self, path: str, key: str) -> list[list[str]]:
        """Follow the links from page to page, and return the items of each."""
        pages = []
        while path:
            response = self.page(path)
            pages.append(response.json[key])
            link = response.header("link")
            path = ""
            if link is not None:
                self.assertRegex(link, r'\A<[^<>]+>; rel="next"\Z')
                path = link[1 : link.index(">")]
        return pages


class TagsResourceTests(PagingTestCase):
    """Tests for ``TagsResource``."""

    def setUp(self) -> None:
        """Create a repository with some tags."""
        super().setUp()
        digest = self.tree.add_image("quay.io/a/b")
        for tag in reversed(TAGS):
            self.tree.add_tag("quay.io/a/b", tag, digest)
        self.path = "/v2/quay.io/a/b/tags/list"

    def test_all(self) -> None:
        """All tags are listed in the order of their bytes."""
        response = self.page(self.path)
        self.assertEqual(response.json, {"name": "quay.io/a/b", "tags": TAGS})
        self.assertIsNone(response.header("link"))

    def test_pages(self) -> None:
        """A client that follows the links gets every tag once."""
        self.assertEqual(self.follow(f"{self.path}?n=3", "tags"), [TAGS[:3], TAGS[3:6], TAGS[6:]])

    def test_link(self) -> None:
        """The link to the next page has the form of the specification."""
        self.assertEqual(
            self.page(f"{self.path}?n=2").header("link"),
            '</v2/quay.io/a/b/tags/list?n=2&last=1.2>; rel="next"',
        )

    def test_last_page_is_full(self) -> None:
        """A page that has exactly the remaining items has no link."""
        self.assertIsNone(self.page(f"{self.path}?n=7").header("link"))

    def test_namespace_is_kept(self) -> None:
        """The link has the same namespace."""
        response = self.page("/v2/a/b/tags/list?n=2&ns=quay.io%3A443")
        self.assertEqual(
            response.header("link"),
            '</v2/a/b/tags/list?n=2&last=1.2&ns=quay.io%3A443>; rel="next"',
        )
        self.assertEqual(
            self.follow("/v2/a/b/tags/list?n=4&ns=quay.io", "tags"), [TAGS[:4], TAGS[4:]]
        )

    def test_absolute_target(self) -> None:
        """The link is the same if the request has an absolute URL."""
        response = self.page(f"http://registry:9080{self.path}?n=2")
        self.assertEqual(
            response.header("link"), '</v2/quay.io/a/b/tags/list?n=2&last=1.2>; rel="next"'
        )

    def test_last(self) -> None:
        """A page begins after a tag, even if that does not exist."""
        for last, expected in (("1.2", TAGS[2:]), ("B", TAGS[3:]), ("", TAGS), ("z", [])):
            self.assertEqual(self.page(f"{self.path}?last={last}").json["tags"], expected)
        self.assertEqual(self.page(f"{self.path}?last=%ff").json["tags"], [])

    def test_none(self) -> None:
        """A page of size 0 is empty and has no link."""
        response = self.page(f"{self.path}?n=0")
        self.assertEqual(response.json["tags"], [])
        self.assertIsNone(response.header("link"))

    def test_huge(self) -> None:
        """A page may be larger than the list."""
        for size in ("1000", "100000", "9" * 100, "0000000007"):
            self.assertEqual(self.page(f"{self.path}?n={size}").json["tags"], TAGS)

    def test_no_number(self) -> None:
        """A size that is not a number is refused."""
        for size in ("abc", "-1", "1.5", "", "%ff", "1e3", "%d9%a1", "+1"):
            for path in (self.path, "/v2/_catalog"):
                response = self.request(f"{path}?n={size}")
                self.assertEqual(
                    (response.code, response.error_code), (400, "PAGINATION_NUMBER_INVALID")
                )

    def test_more_than_a_page(self) -> None:
        """A list of more than ten thousand tags is always split into pages."""
        digest = self.tree.add_image("many")
        for number in range(10_001):
            self.tree.add_tag("many", f"{number:05}", digest)
        pages = self.follow("/v2/many/tags/list", "tags")
        self.assertEqual([len(page) for page in pages], [10_000, 1])

    def test_no_tags(self) -> None:
        """A repository without tags has an empty list."""
        self.tree.add_image("untagged")
        self.assertEqual(
            self.page("/v2/untagged/tags/list").json, {"name": "untagged", "tags": []}
        )

    def test_unreadable(self) -> None:
        """A repository that may not be read is answered as missing."""
        self.tree.link_out("c")
        response = self.request("/v2/c/tags/list")
        self.assertEqual((response.code, response.error_code), (404, "NAME_UNKNOWN"))


class CatalogResourceTests(PagingTestCase):
    """Tests for ``CatalogResource``."""

    def setUp(self) -> None:
        """Create some repositories, one below another."""
        super().setUp()
        self.names = ["a", "a-b", "a/b", "a/b/c", "b", "quay.io/x/y"]
        for name in reversed(self.names):
            self.tree.add_image(name)

    def test_all(self) -> None:
        """All repositories are listed in the order of their bytes."""
        self.assertEqual(self.page("/v2/_catalog").json, {"repositories": self.names})

    def test_pages(self) -> None:
        """A client that follows the links gets every repository once."""
        pages = self.follow("/v2/_catalog?n=2", "repositories")
        self.assertEqual(pages, [self.names[:2], self.names[2:4], self.names[4:]])

    def test_link(self) -> None:
        """The link to the next page has the last name, percent-encoded."""
        self.assertEqual(
            self.page("/v2/_catalog?n=3&ns=docker.io").header("link"),
            '</v2/_catalog?n=3&last=a%2Fb&ns=docker.io>; rel="next"',
        )

    def test_not_ascii(self) -> None:
        """A namespace of any bytes does not prevent the response."""
        self.assertEqual(
            self.page("http://r\xa0/v2/_catalog?n=1").header("link"),
            '</v2/_catalog?n=1&last=a>; rel="next"',
        )

    def test_last(self) -> None:
        """A page begins after a name, even if that does not exist."""
        for last, expected in (("a/b", self.names[3:]), ("aa", self.names[4:]), ("z", [])):
            response = self.page(f"/v2/_catalog?last={last}")
            self.assertEqual(response.json["repositories"], expected)

    def test_empty(self) -> None:
        """An empty page has no link."""
        response = self.page("/v2/_catalog?n=0")
        self.assertEqual(response.json, {"repositories": []})
        self.assertIsNone(response.header("link"))
