"""Rules about the files that settings for TLS name."""

import os
from collections.abc import Generator, Iterator, Sequence

from minreg.defaults import WILDCARD
from minreg.k3s.doctor.certificates import (
    Certificate,
    CertificateInvalid,
    parse_certificates,
    parse_key,
)
from minreg.k3s.doctor.findings import Finding, Rule
from minreg.k3s.doctor.installation import K3sInstallation, select_manual
from minreg.k3s.doctor.node_state import Node
from minreg.k3s.doctor.rules.catalog import TLS_EXPIRED, TLS_FILE, TLS_NAME
from minreg.k3s.doctor.rules.configs import endpoints_at
from minreg.k3s.registries.certs_d import DEFAULT_DIRECTORY
from minreg.k3s.registries.hosts_toml import Host, HostsInvalid, parse_hosts
from minreg.k3s.registries.mirror_endpoints import split_port
from minreg.k3s.registries.registries_yaml import TLS, Config
from minreg.k3s.yaml_reader import Located

_EFFECT = "containerd then pulls nothing from the registries with this endpoint"
_FIX_DIRECTORY = "write the path of a file in it"
_FIX_PEM = "convert it to PEM, which begins with -----BEGIN CERTIFICATE-----"


def check_tls_files(node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """Certificates and keys exist, are valid, and are for the endpoint."""
    for config in setup.registries.configs.values():
        tls = config.tls
        if tls is None:
            continue
        for path in (tls.ca_file, tls.cert_file, tls.key_file):
            if path.text in setup.certificate_directories:
                problem = f"{path.text} is a directory: {_EFFECT}"
                yield _finding(TLS_FILE, setup, path, problem, _FIX_DIRECTORY)
            if path.text in setup.certificates and setup.certificates[path.text] is None:
                yield _missing(setup, path)
        if tls.key_file.text and not tls.cert_file.text:
            problem = f"key_file is set, but cert_file is not: {_EFFECT}"
            yield _finding(
                TLS_FILE, setup, tls.key_file, problem, "add cert_file, or remove key_file"
            )
        yield from _check_client(node, setup, tls)
        yield from _check_authorities(node, setup, config, tls)


def check_hosts_tls(_node: Node, setup: K3sInstallation) -> Iterator[Finding]:
    """The certificates and keys in ``hosts.toml`` files that K3s did not write can be used.

    If one of them cannot, containerd asks none of the hosts in the file (``tlsConfigFromHost`` in
    ``core/remotes/docker/config/hosts.go``).
    """
    files = setup.containerd().files
    for name, text in sorted(select_manual(files).items()):
        registry = "registries without a directory of their own"
        registry = registry if name == DEFAULT_DIRECTORY else name
        try:
            hosts = parse_hosts(text, registry, is_of_k3s=True)
        except HostsInvalid:
            continue  # The rule hosts-invalid reports it.
        directory = f"{setup.certs_d}/{name}"
        for host in hosts:
            for path, problem, fix in _find_faults(setup, directory, host):
                effect = f"{problem}: containerd then pulls nothing from {registry}"
                line = _find_line(text, path)
                yield Finding(TLS_FILE, f"{directory}/hosts.toml", line, effect, fix)


def _find_faults(
    setup: K3sInstallation, directory: str, host: Host
) -> Iterator[tuple[str, str, str]]:
    """Yield the unusable files of a host: path as written, what is wrong, and the fix."""
    for written in host.ca_files:
        path = os.path.join(directory, written)
        fault = _find_file_fault(setup, path) or _find_pem_fault(setup, path)
        if fault is not None:
            yield written, *fault
    for pair in host.client_pairs:
        for written in pair:
            fault = _find_file_fault(setup, os.path.join(directory, written))
            if fault is not None:
                yield written, *fault
                break
        else:
            path, key = (os.path.join(directory, written) for written in (pair[0], pair[-1]))
            fault = _find_pem_fault(setup, path) or _find_key_fault(setup, path, key)
            if fault is not None:
                yield pair[0], *fault


def _find_file_fault(setup: K3sInstallation, path: str) -> tuple[str, str] | None:
    """Return what is wrong with a path and how to fix it; None if there is a file."""
    if path in setup.certificate_directories:
        return f"{path} is a directory", _FIX_DIRECTORY
    if path in setup.certificates and setup.certificates[path] is None:
        return f"{path} does not exist", "copy the file there, or correct the path"
    return None


def _find_pem_fault(setup: K3sInstallation, path: str) -> tuple[str, str] | None:
    """Return the fault of a file without a certificate, and its fix."""
    file = setup.certificates.get(path)
    try:
        has_certificate = file is None or bool(parse_certificates(file.content))
    except CertificateInvalid:
        has_certificate = False
    return None if has_certificate else (f"{path} has no certificate in PEM", _FIX_PEM)


def _find_key_fault(setup: K3sInstallation, path: str, key_path: str) -> tuple[str, str] | None:
    """Return the fault of a client's certificate without its key, and its fix."""
    certificate, file = setup.certificates.get(path), setup.certificates.get(key_path)
    if certificate is None or file is None:
        return None
    try:
        key = parse_key(file.content)
    except CertificateInvalid as error:
        return f"{key_path} {error}", 'write the two files as client = [["CERTIFICATE", "KEY"]]'
    if key != parse_certificates(certificate.content)[0].key:
        fix = "name a certificate and a key that belong together"
        return f"{key_path} is not the key of {path}", fix
    return None


def _find_line(text: str, path: str) -> int:
    """Return the first line with a path, which may be written with escapes; 0 if there is none."""
    lines = (number for number, line in enumerate(text.split("\n"), 1) if path in line)
    return next(lines, 0) if path else 0


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
        yield _finding(TLS_FILE, setup, path, problem, _FIX_PEM)
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
