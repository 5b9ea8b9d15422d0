"""The rules of ``minreg doctor``.

docs/node.md says of each rule what a finding means and what to do.
"""

from collections.abc import Mapping

from minreg.k3s.doctor.findings import Rule, Severity

_ERROR, _WARNING, _SUGGESTION = Severity.ERROR, Severity.WARNING, Severity.SUGGESTION

FILE_NAME = Rule("file-name", _ERROR, "K3s does not read this file")
SYNTAX = Rule("syntax", _ERROR, "this is not YAML")
TAB = Rule("tab", _ERROR, "a line is indented with a tab")
UNQUOTED_STAR = Rule("unquoted-star", _ERROR, "an asterisk is not quoted")
NOT_UTF_8 = Rule("not-utf-8", _ERROR, "the file is not UTF-8")
CONTROL_CHARACTER = Rule("control-character", _ERROR, "a character is not allowed in YAML")
TOO_LARGE = Rule("too-large", _ERROR, "the file is too large")
TOO_DEEP = Rule("too-deep", _ERROR, "a mapping is merged into itself")
WRONG_TYPE = Rule("wrong-type", _ERROR, "a value has the wrong type")
SECOND_DOCUMENT = Rule("second-document", _WARNING, "everything below --- is ignored")
DUPLICATE_KEY = Rule("duplicate-key", _WARNING, "a key is there twice")
UNKNOWN_KEY = Rule("unknown-key", _ERROR, "K3s ignores this key")

MIRROR_NAME = Rule("mirror-name", _ERROR, "this is not the name of a registry")
ENDPOINT_INVALID = Rule("endpoint-invalid", _ERROR, "this is not the address of a registry")
ENDPOINT_SCHEME = Rule("endpoint-scheme", _ERROR, "http instead of https, or the reverse")
ENDPOINT_ELSEWHERE = Rule("endpoint-elsewhere", _ERROR, "no endpoint is minreg's address")
ENDPOINT_DEFAULT = Rule("endpoint-default", _WARNING, "this endpoint is the default endpoint")
ENDPOINT_PATH = Rule("endpoint-path", _ERROR, "the path of an endpoint lacks /v2")
ENDPOINT_OTHER_REGISTRY = Rule(
    "endpoint-other-registry", _WARNING, "this endpoint has images of another registry"
)
CONFIG_NAME = Rule("config-name", _ERROR, "these settings apply to no endpoint")
LOGIN_NAME = Rule("login-name", _WARNING, "a login is not sent to the endpoint")
LOGIN_INVALID = Rule("login-invalid", _ERROR, "containerd cannot read a login")
TLS_ON_HTTP = Rule("tls-on-http", _WARNING, "TLS settings for an endpoint without TLS")
TLS_FILE = Rule("tls-file", _ERROR, "a certificate or key cannot be used")
TLS_EXPIRED = Rule("tls-expired", _ERROR, "a certificate is not valid now")
TLS_NAME = Rule("tls-name", _ERROR, "a certificate is not for this endpoint")
REWRITE_SYNTAX = Rule("rewrite-syntax", _ERROR, "containerd ignores this rewrite")
REWRITE_GROUP = Rule("rewrite-group", _ERROR, "a rewrite uses a group that does not exist")
REWRITE_UNUSED = Rule("rewrite-unused", _WARNING, "a rewrite matches nothing in the tree")
HOSTS_INVALID = Rule("hosts-invalid", _ERROR, "containerd cannot read a hosts.toml")

RESTART = Rule("restart", _WARNING, "a change has no effect before a restart")
DEFAULT_ENDPOINT = Rule("default-endpoint", _WARNING, "the default endpoint is asked as well")
SYSTEM_REGISTRY = Rule("system-default-registry", _ERROR, "system images cannot be pulled")
AGENT_SETTING = Rule("agent-setting", _ERROR, "an agent does not know this setting")
CONTAINERD_TEMPLATE = Rule("containerd-template", _ERROR, "registries.yaml has no effect")
EMBEDDED_REGISTRY = Rule("embedded-registry", _WARNING, "the embedded registry is not started")
OTHER_RUNTIME = Rule("other-runtime", _WARNING, "this runtime does not read registries.yaml")
ARCHIVES = Rule("archives", _SUGGESTION, "archives are imported at each start")
DISCARD_LAYERS = Rule("discard-layers", _SUGGESTION, "containerd stores layers twice")

DEFAULT_ROUTE = Rule("default-route", _ERROR, "there is no default route")
UNIT_DISABLED = Rule("unit-disabled", _ERROR, "minreg is not installed or not enabled")
UNIT_ORDER = Rule("unit-order", _ERROR, "K3s may start before minreg")
UNIT_LINE = Rule("unit-line", _ERROR, "systemd ignores a line")
PORT_OF_K3S = Rule("port-of-k3s", _ERROR, "K3s needs this port")
PORT_TAKEN = Rule("port-taken", _ERROR, "another program uses minreg's port")

ROOT_MISSING = Rule("root-missing", _ERROR, "there is no registry tree")
ROOT_TOO_DEEP = Rule("root-too-deep", _ERROR, "the tree is in a directory below its root")
ROOT_UNREADABLE = Rule("root-unreadable", _ERROR, "the service may not read the tree")
PAUSE_IMAGE = Rule("pause-image", _ERROR, "minreg does not serve the pause image")
IMAGES_MISSING = Rule("images-missing", _WARNING, "minreg does not serve needed images")
MIRROR_ELSEWHERE = Rule("mirror-elsewhere", _WARNING, "a mirror leads past minreg")
IMAGES_BROKEN = Rule("images-broken", _ERROR, "images are incomplete")
PLATFORM = Rule("platform", _WARNING, "images are for other processors only")
REGISTRY_SILENT = Rule("registry-silent", _ERROR, "minreg does not respond")
REGISTRY_DIFFERS = Rule("registry-differs", _ERROR, "minreg does not serve this tree")

RULES: Mapping[str, Rule] = {
    rule.id: rule for rule in list(globals().values()) if isinstance(rule, Rule)
}
