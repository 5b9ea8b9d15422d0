"""Rules about the files that settings for TLS name."""

from collections.abc import Generator, Iterator, Sequence

from minreg.defaults import WILDCARD
from minreg.k3s.doctor.certificates import (
    Certificate,
    CertificateInvalid,
    parse_certificates,
    parse_key,
)
from minreg.k3s.doctor.findings import Finding, Rule
from minreg.k3s.doctor.installation import K3sInstallation
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import TLS_EXPIRED, TLS_FILE, TLS_NAME
from minreg.k3s.doctor.rules.configs import endpoints_at
from minreg.k3s.registries.mirror_endpoints import split_port
from minreg.k3s.registries.registries_yaml import TLS, Config
from minreg.k3s.yaml_reader import Located

_EFFECT = "containerd then pulls nothing from the registries with this endpoint"


def check_tls_files(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Certificates and keys exist, are valid, and are for the endpoint."""
    for config in setup.registries.configs.values():
        tls = config.tls
        if tls is None:
            continue
        for path in (tls.ca_file, tls.cert_file, tls.key_file):
            if path.text in setup.certificates and setup.certificates[path.text] is None:
                yield _missing(setup, path)
        if tls.key_file.text and not tls.cert_file.text:
            problem = f"key_file is set, but cert_file is not: {_EFFECT}"
            yield _finding(
                TLS_FILE, setup, tls.key_file, problem, "add cert_file, or remove key_file"
            )
        yield from _check_client(node, setup, tls)
        yield from _check_authorities(node, setup, config, tls)


def _check_client(node: Node, setup: K3sInstallation, tls: TLS) -> Iterator[Finding]:
    certificates = yield from _read(setup, tls.cert_file)
    if certificates and not certificates[0].is_valid_at(node.now):
        problem = f"{tls.cert_file.text} has expired or is not valid yet: the endpoint refuses it"
        yield _finding(TLS_EXPIRED, setup, tls.cert_file, problem, "renew it, and restart K3s")
    # The key may be in the file of the certificate (containerd, updateTLSConfigFromHost).
    key_path = tls.key_file if tls.key_file.text else tls.cert_file
    file = setup.certificates.get(key_path.text)
    if not certificates or file is None:
        return
    try:
        key = parse_key(file.content)
    except CertificateInvalid as error:
        fix = "put a key there that is not encrypted" if tls.key_file.text else "add key_file"
        yield _finding(TLS_FILE, setup, key_path, f"{key_path.text} {error}: {_EFFECT}", fix)
        return
    if key != certificates[0].key:
        problem = f"{key_path.text} is not the key of {tls.cert_file.text}: {_EFFECT}"
        fix = "name a certificate and a key that belong together"
        yield _finding(TLS_FILE, setup, key_path, problem, fix)


def _check_authorities(
    node: Node, setup: K3sInstallation, config: Config, tls: TLS
) -> Iterator[Finding]:
    certificates = yield from _read(setup, tls.ca_file)
    if not certificates or tls.insecure_skip_verify:
        return
    path = tls.ca_file.text
    if not any(certificate.is_valid_at(node.now) for certificate in certificates):
        problem = f"all certificates in {path} have expired or are not valid yet: each pull fails"
        yield _finding(
            TLS_EXPIRED, setup, tls.ca_file, problem, "replace the file by a current one"
        )
    hosts = _hosts(setup, config)
    if any(
        certificate.signs_others and certificate.common_name not in hosts
        for certificate in certificates
    ):
        return
    for host in hosts:
        if any(certificate.is_for(host) for certificate in certificates):
            continue
        names = sorted({name for certificate in certificates for name in certificate.names})
        named = f"for {', '.join(names)}" if names else "without alternative names"
        problem = f"{path} is a server certificate {named}, but the endpoint is {host}"
        fix = f"issue one with {host} among its alternative names, or change the endpoint's host"
        yield _finding(TLS_NAME, setup, tls.ca_file, f"{problem}: each pull fails", fix)


def _hosts(setup: K3sInstallation, config: Config) -> Sequence[str]:
    """List the hosts that settings apply to, without their ports."""
    secure = [
        endpoint.host
        for endpoint in endpoints_at(setup, config.name.text)
        if endpoint.scheme == "https"
    ]
    is_direct = config.name.text != WILDCARD and not endpoints_at(setup, config.name.text)
    hosts = secure or ([config.name.text] if is_direct else [])
    return list(dict.fromkeys(split_port(host)[0] for host in hosts))


def _read(
    setup: K3sInstallation, path: Located
) -> Generator[Finding, None, Sequence[Certificate]]:
    """Return the certificates of a file; yield a finding if it has none."""
    file = setup.certificates.get(path.text)
    if file is None:
        return ()
    try:
        return parse_certificates(file.content)
    except CertificateInvalid:
        problem = f"{path.text} has no certificate in PEM: {_EFFECT}"
        fix = "convert it to PEM, which begins with -----BEGIN CERTIFICATE-----"
        yield _finding(TLS_FILE, setup, path, problem, fix)
        return ()


def _missing(setup: K3sInstallation, path: Located) -> Finding:
    fix = "copy the file there, or correct the path"
    if not path.text.startswith("/"):
        fix = "write an absolute path"
    return _finding(TLS_FILE, setup, path, f"{path.text} does not exist: {_EFFECT}", fix)


def _finding(
    rule: Rule, setup: K3sInstallation, located: Located, problem: str, fix: str
) -> Finding:
    return Finding(rule, setup.registries_path, located.position.line, problem, fix)
