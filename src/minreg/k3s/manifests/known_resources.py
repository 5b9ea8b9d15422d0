"""What resources of known kinds say about images: fields that are images, and what is not known.

A resource such as a HelmRelease brings images that its manifest does not name. For these, there is
a note with the command that makes them known.
"""

import enum
import shlex
from collections.abc import Callable, Iterator, Mapping

import attrs

from minreg.k3s.manifests.documents import Value

_CHECK = "| minreg preflight --manifests -"

_IMAGE_FIELDS: Mapping[tuple[str, str], frozenset[str]] = {
    **dict.fromkeys(
        (
            *(
                ("argoproj.io", kind)
                for kind in (
                    "Workflow",
                    "WorkflowTemplate",
                    "ClusterWorkflowTemplate",
                    "CronWorkflow",
                )
            ),
            *(
                ("tekton.dev", kind)
                for kind in ("Task", "ClusterTask", "TaskRun", "Pipeline", "PipelineRun")
            ),
            *(
                ("monitoring.coreos.com", kind)
                for kind in ("Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler")
            ),
            ("ceph.rook.io", "CephCluster"),
            ("postgresql.cnpg.io", "ImageCatalog"),
            ("postgresql.cnpg.io", "ClusterImageCatalog"),
        ),
        frozenset({"image"}),
    ),
    ("postgresql.cnpg.io", "Cluster"): frozenset({"imageName"}),
    ("helm.cattle.io", "HelmChart"): frozenset({"jobImage"}),
}
"""The fields, at any depth, in which a resource names an image, by its group and kind."""


class ChartValues(enum.Enum):
    """Whose values of charts a resource has, or a value belongs to."""

    NONE = enum.auto()
    OF_K3S = enum.auto()
    OF_OTHERS = enum.auto()


@attrs.frozen
class ResourceKind:
    """What is known of a kind of resources.

    Attributes:
        image_fields: The names of the fields that are images, at any depth.
        chart: Whose values it has in its fields ``values``, ``set`` and the like.
    """

    image_fields: frozenset[str] = frozenset()
    chart: ChartValues = ChartValues.NONE


_CHARTS: Mapping[tuple[str, str], ChartValues] = {
    ("helm.cattle.io", "HelmChart"): ChartValues.OF_K3S,
    ("helm.cattle.io", "HelmChartConfig"): ChartValues.OF_K3S,
    ("helm.toolkit.fluxcd.io", "HelmRelease"): ChartValues.OF_OTHERS,
    ("argoproj.io", "Application"): ChartValues.OF_OTHERS,
    ("argoproj.io", "ApplicationSet"): ChartValues.OF_OTHERS,
    ("fleet.cattle.io", "GitRepo"): ChartValues.OF_OTHERS,
    ("fleet.cattle.io", "HelmOp"): ChartValues.OF_OTHERS,
    ("kustomize.config.k8s.io", "Kustomization"): ChartValues.OF_OTHERS,
}


def find_kind(resource: Mapping[str, Value]) -> ResourceKind:
    """Return what is known of the kind of a resource."""
    name = _kind(resource)
    return ResourceKind(_IMAGE_FIELDS.get(name, frozenset()), _CHARTS.get(name, ChartValues.NONE))


def is_definition(resource: Mapping[str, Value]) -> bool:
    """Return whether a resource defines a kind of resources."""
    return _kind(resource) == ("apiextensions.k8s.io", "CustomResourceDefinition")


def is_plan(resource: Mapping[str, Value]) -> bool:
    """Return whether a resource is a plan of the system-upgrade-controller."""
    return _kind(resource) == ("upgrade.cattle.io", "Plan")


def _kind(resource: Mapping[str, Value]) -> tuple[str, str]:
    """Return the API group of a resource, without its version, and its kind."""
    group = str(resource.get("apiVersion", "")).partition("/")[0]
    return group, str(resource.get("kind", ""))


def describe_unknown(resource: Mapping[str, Value]) -> Iterator[tuple[str, str]]:
    """Yield what is not known of the images of a resource, and the command that makes it known.

    Yields:
        The text that the note is about, which has the line, and the note.
    """
    name = _text(resource, "metadata", "name") or "NAME"
    kind = _kind(resource)
    if kind == ("helm.cattle.io", "HelmChart"):
        chart = _text(resource, "spec", "chart") or _text(resource, "spec", "chartContent")
        if chart:
            yield chart, _describe_helm_chart(name, resource)
    elif kind[0].endswith(_ELASTIC):
        version = _text(resource, "spec", "version")
        if version and not _text(resource, "spec", "image"):
            yield (
                version,
                (
                    f"the operator makes the image of {kind[1]} from the version {version!r}: "
                    "it is not known; add it with --file"
                ),
            )
    elif kind in _DESCRIPTIONS:
        yield resource["kind"], _DESCRIPTIONS[kind](name, resource)


def _describe_helm_chart(name: str, resource: Mapping[str, Value]) -> str:
    command = ["helm", "template", name, _text(resource, "spec", "chart") or "CHART"]
    for option, field in (("--repo", "repo"), ("--version", "version")):
        if value := _text(resource, "spec", field):
            command += [option, value]
    return (
        "the images in the chart itself are not known: check them with "
        f"'{shlex.join(command)} {_CHECK}'; the image of the job that installs the chart is part "
        "of a release (--k3s)"
    )


def _describe_release(name: str, resource: Mapping[str, Value]) -> str:
    spec = ("spec", "chart", "spec")
    chart = _text(resource, *spec, "chart") or _text(resource, "spec", "chartRef", "name")
    version = _text(resource, *spec, "version")
    command = ["helm", "template", name, chart or "CHART"]
    command += ["--version", version] if version else []
    return (
        f"the images in the chart are not known: check them with '{shlex.join(command)} {_CHECK}'"
    )


def _describe_application(name: str, _resource: Mapping[str, Value]) -> str:
    command = shlex.join(["argocd", "app", "manifests", name])
    return (
        f"the images of what Argo CD installs are not known: check them with '{command} {_CHECK}'"
    )


def _describe_artifact(_name: str, resource: Mapping[str, Value]) -> str:
    url, tag = _text(resource, "spec", "url") or "URL", _text(resource, "spec", "ref", "tag")
    address = f"{url}:{tag}" if tag else url
    command = shlex.join(["flux", "pull", "artifact", address, "--output", "DIR"])
    return f"the images in the artifact are not known: fetch it with '{command}', and check DIR"


def _describe_source(_name: str, _resource: Mapping[str, Value]) -> str:
    return "the images in the source are not known: check a copy of it with --manifests DIR"


def _describe_flux_kustomization(name: str, resource: Mapping[str, Value]) -> str:
    path = _text(resource, "spec", "path") or "."
    command = shlex.join(["flux", "build", "kustomization", name, "--path", path])
    return f"the images of what Flux applies are not known: check them with '{command} {_CHECK}'"


def _describe_fleet(_name: str, _resource: Mapping[str, Value]) -> str:
    return (
        "the images of what Fleet applies are not known: check a copy of it with --manifests DIR, "
        f"and its charts with 'helm template CHART {_CHECK}'"
    )


def _describe_subscription(_name: str, _resource: Mapping[str, Value]) -> str:
    return (
        "the images of the operator that this installs are not known: check the manifests of its "
        "bundle with --manifests DIR"
    )


def _describe_calico(_name: str, _resource: Mapping[str, Value]) -> str:
    return (
        "the images that Calico's operator installs are not known: run the operator's image with "
        "'--print-images=list', and check the list with --file"
    )


_ELASTIC = ".k8s.elastic.co"
_DESCRIPTIONS: Mapping[tuple[str, str], Callable[[str, Mapping[str, Value]], str]] = {
    ("helm.toolkit.fluxcd.io", "HelmRelease"): _describe_release,
    ("argoproj.io", "Application"): _describe_application,
    ("argoproj.io", "ApplicationSet"): _describe_application,
    ("source.toolkit.fluxcd.io", "OCIRepository"): _describe_artifact,
    ("source.toolkit.fluxcd.io", "GitRepository"): _describe_source,
    ("source.toolkit.fluxcd.io", "Bucket"): _describe_source,
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): _describe_flux_kustomization,
    ("fleet.cattle.io", "GitRepo"): _describe_fleet,
    ("fleet.cattle.io", "HelmOp"): _describe_fleet,
    ("operators.coreos.com", "Subscription"): _describe_subscription,
    ("operator.tigera.io", "Installation"): _describe_calico,
}


def describe_chart_directory(path: str) -> str:
    """Return what is not known of the images of a directory with a Helm chart."""
    command = shlex.join(["helm", "template", path])
    return (
        "this is a Helm chart, and its templates are not read: check what they become with "
        f"'{command} {_CHECK}'"
    )


def describe_kustomization(directory: str, kustomization: Mapping[str, Value]) -> str | None:
    """Return what a kustomization changes or adds that is not known without rendering it.

    Args:
        directory: The directory of the kustomization.
        kustomization: The document.

    Returns:
        None if it only lists files.
    """
    charts = any(kustomization.get(key) for key in ("helmCharts", "helmChartInflationGenerator"))
    parts = [
        description
        for is_used, description in (
            (kustomization.get("images"), "renames images"),
            (charts, "renders charts"),
            (any(map(_is_remote, _resources(kustomization))), "has remote resources"),
            (any(kustomization.get(key) for key in _CHANGES), "changes resources"),
        )
        if is_used
    ]
    if not parts:
        return None
    command = ["kubectl", "kustomize", directory or "."]
    command += ["--enable-helm"] if charts else []
    return (
        f"the kustomization {', '.join(parts)}: render it, and check the result with "
        f"'{shlex.join(command)} {_CHECK}'"
    )


_CHANGES = ("generators", "transformers", "replacements", "vars")
_REMOTE = ("://", "github.com/", "git@", "?ref=")


def _resources(kustomization: Mapping[str, Value]) -> Iterator[str]:
    for key in ("resources", "bases", "components", "crds"):
        entries = kustomization.get(key)
        if isinstance(entries, list):
            yield from (entry for entry in entries if isinstance(entry, str))


def _is_remote(resource: str) -> bool:
    return any(mark in resource for mark in _REMOTE)


def _text(value: Value, *path: str) -> str:
    """Return the text at a path; empty if there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
