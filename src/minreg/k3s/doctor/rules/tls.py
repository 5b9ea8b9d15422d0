"""Rules about the files that settings for TLS name."""

from collections.abc import Generator, Iterator, Sequence

from minreg.k3s.doctor.certificates import (
    Certificate,
    CertificateInvalid,
    parse_certificates,
    parse_key,
)
from minreg.k3s.doctor.findings import Finding, Rule
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node import Node
from minreg.k3s.doctor.rules.catalog import TLS_EXPIRED, TLS_FILE, TLS_NAME
from minreg.k3s.doctor.rules.configs import endpoints_at
from minreg.k3s.doctor.rules.mirrors import WILDCARD
from minreg.k3s.registries.endpoints import split_port
from minreg.k3s.registries.registries_yaml import TLS, Config
from minreg.k3s.yaml_reader import Located

_BROKEN = "containerd then asks nobody for images of registries that this endpoint is for"


def check_tls_files(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Certificates and keys are there, are valid, and are for the endpoint."""
    for config in setup.registries.configs.values():
        tls = config.tls
        if tls is None:
            continue
        for word in (tls.ca_file, tls.cert_file, tls.key_file):
            if word.text in setup.certificates and setup.certificates[word.text] is None:
                yield _missing(setup, word)
        if tls.key_file.text and not tls.cert_file.text:
            problem = f"{tls.key_file.text} is a key without cert_file: {_BROKEN}"
            yield _finding(TLS_FILE, setup, tls.key_file, problem, "add cert_file, or remove it")
        yield from _check_client(node, setup, tls)
        yield from _check_authorities(node, setup, config, tls)


def _check_client(node: Node, setup: K3sInstallation, tls: TLS) -> Iterator[Finding]:
    certificates = yield from _read(setup, tls.cert_file)
    if certificates and not certificates[0].is_valid_at(node.now):
        problem = f"{tls.cert_file.text} is not valid now: the endpoint will refuse it"
        yield _finding(TLS_EXPIRED, setup, tls.cert_file, problem, "renew it, and restart K3s")
    # A key may stand in the certificate's file (containerd, updateTLSConfigFromHost).
    word = tls.key_file if tls.key_file.text else tls.cert_file
    file = setup.certificates.get(word.text)
    if not certificates or file is None:
        return
    try:
        key = parse_key(file.content)
    except CertificateInvalid as error:
        fix = "have one there, not encrypted" if tls.key_file.text else "add key_file"
        yield _finding(TLS_FILE, setup, word, f"{word.text} {error}: {_BROKEN}", fix)
        return
    if key != certificates[0].key:
        problem = f"{word.text} is not the key of {tls.cert_file.text}: {_BROKEN}"
        yield _finding(TLS_FILE, setup, word, problem, "name the two that belong together")


def _check_authorities(
    node: Node, setup: K3sInstallation, config: Config, tls: TLS
) -> Iterator[Finding]:
    certificates = yield from _read(setup, tls.ca_file)
    if not certificates or tls.insecure_skip_verify:
        return
    path = tls.ca_file.text
    if not any(certificate.is_valid_at(node.now) for certificate in certificates):
        problem = f"{path} holds no certificate that is valid now: no endpoint is trusted by it"
        yield _finding(
            TLS_EXPIRED, setup, tls.ca_file, problem, "put the present one in its place"
        )
    hosts = _hosts(setup, config)
    if any(one.signs_others and one.common_name not in hosts for one in certificates):
        return
    for host in hosts:
        if any(certificate.is_for(host) for certificate in certificates):
            continue
        names = sorted({name for certificate in certificates for name in certificate.names})
        named = f"for {', '.join(names)}" if names else "for no name at all"
        problem = f"{path} is a server's own certificate, {named}, and the endpoint is {host}"
        fix = f"make one with {host} among its alternative names, or name the endpoint as it does"
        yield _finding(TLS_NAME, setup, tls.ca_file, f"{problem}: each pull fails", fix)


def _hosts(setup: K3sInstallation, config: Config) -> Sequence[str]:
    """Name the hosts that settings are for, without their ports."""
    secure = [one.host for one in endpoints_at(setup, config.name.text) if one.scheme == "https"]
    is_direct = config.name.text != WILDCARD and not endpoints_at(setup, config.name.text)
    hosts = secure or ([config.name.text] if is_direct else [])
    return list(dict.fromkeys(split_port(host)[0] for host in hosts))


def _read(
    setup: K3sInstallation, word: Located
) -> Generator[Finding, None, Sequence[Certificate]]:
    """Read the certificates of a file; a finding if there are none."""
    file = setup.certificates.get(word.text)
    if file is None:
        return ()
    try:
        return parse_certificates(file.content)
    except CertificateInvalid:
        problem = f"{word.text} holds no certificate in PEM: {_BROKEN}"
        yield _finding(TLS_FILE, setup, word, problem, "put one there that begins -----BEGIN")
        return ()


def _missing(setup: K3sInstallation, word: Located) -> Finding:
    fix = "put it there, or correct the path"
    if not word.text.startswith("/"):
        fix = "write the whole path, from / on"
    return _finding(TLS_FILE, setup, word, f"{word.text} is not there: {_BROKEN}", fix)


def _finding(rule: Rule, setup: K3sInstallation, word: Located, problem: str, fix: str) -> Finding:
    return Finding(rule, setup.registries_path, word.position.line, problem, fix)
