"""Finds the images that Kubernetes' manifests name.

Workloads are known by their shape, whatever their kind: whatever has ``containers`` is a
pod, or a template of one, in a resource of an operator as well. Sources: Kubernetes API,
``PodSpec`` and ``Volume``; rancher/system-upgrade-controller
pkg/apis/upgrade.cattle.io/v1/types.go and manifests/system-upgrade-controller.yaml;
k3s-io/k3s manifests/local-storage.yaml, whose helper pod is in a ConfigMap.
"""

from collections.abc import Iterable, Mapping

import attrs

from minreg.node.kubernetes.charts import Searched, find_chart_images
from minreg.node.kubernetes.documents import Value
from minreg.node.kubernetes.found import Found, Place
from minreg.node.kubernetes.plans import find_plan_images

_IMAGE = "image"
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_KUBECTL = "SYSTEM_UPGRADE_JOB_KUBECTL_IMAGE"
_STATUS = "status"
_MANIFESTS = (".yaml", ".yml", ".json")


def find_images(files: Iterable[tuple[str, str]]) -> Found:
    """Find all images that manifests name.

    Args:
        files: Names of files, each with its text.
    """
    found = Found()
    for name, text in files:
        for document, place in found.read(text, Place(name)):
            _Search(found).run(document, place)
    return found


@attrs.frozen
class _Search:
    """The search of one document; no value is looked at twice, however often it is used."""

    found: Found
    _seen: set[int] = attrs.field(factory=set)
    _seen_in_pods: set[int] = attrs.field(factory=set)
    _seen_in_data: set[int] = attrs.field(factory=set)
    _seen_in_charts: Searched = attrs.field(factory=Searched)

    def run(self, document: Value, place: Place, *, is_nested: bool = False) -> None:
        """Search a document.

        Args:
            document: The document.
            place: Where it lies.
            is_nested: Whether it is a value of another one; in it, no more such are looked for.
        """
        left = [(document, place)]
        while left:
            value, where = left.pop()
            if id(value) in self._seen:
                continue
            if isinstance(value, list):
                self._seen.add(id(value))
                left += [(one, where) for one in reversed(value)]
            elif isinstance(value, dict):
                self._seen.add(id(value))
                where = _place_of(value, where)
                if not self._is_special(value, where, is_nested=is_nested):
                    self._find_in_pod(value, where)
                    self._note_others(value, where)
                    left += [
                        (one, where) for key, one in reversed(value.items()) if key != _STATUS
                    ]

    def _is_special(self, value: dict[str, Value], place: Place, *, is_nested: bool) -> bool:
        """Search a resource whose images are not in the shape of a pod."""
        group = str(value.get("apiVersion", "")).partition("/")[0]
        match group, value.get("kind"):
            case "apiextensions.k8s.io", "CustomResourceDefinition":
                pass
            case "helm.cattle.io", "HelmChart" | "HelmChartConfig":
                find_chart_images(value, place, self.found, self._seen_in_charts)
            case "upgrade.cattle.io", "Plan":
                find_plan_images(value, place, self.found)
            case "v1", "ConfigMap":
                if not is_nested:
                    self._find_in_data(value.get("data"), place)
            case _:
                return False
        return True

    def _find_in_pod(self, pod: Mapping[str, Value], place: Place) -> None:
        for containers in map(pod.get, _CONTAINERS):
            for container in self._new_dicts(containers):
                image = container.get(_IMAGE)
                if isinstance(image, str):
                    # It is no image of a resource of its own.
                    self._seen.add(id(container))
                    self.found.add(image, place)
        for volume in self._new_dicts(pod.get("volumes")):
            source = volume.get(_IMAGE)
            if isinstance(source, dict) and isinstance(source.get("reference"), str):
                self.found.add(source["reference"], place)

    def _new_dicts(self, value: Value) -> list[dict[str, Value]]:
        """List the dicts in a list of a pod, unless another pod has the very same list."""
        if not isinstance(value, list) or id(value) in self._seen_in_pods:
            return []
        self._seen_in_pods.add(id(value))
        return [one for one in value if isinstance(one, dict)]

    def _note_others(self, value: Mapping[str, Value], place: Place) -> None:
        """Remark that something else than a pod names an image, if it looks like a name."""
        image = value.get(_IMAGE)
        if isinstance(image, str) and ("/" in image or ":" in image):
            self.found.note(
                image,
                place,
                f"{image!r} is not the image of a container here: "
                "if nodes pull it, name it in a list, too (--file)",
            )

    def _find_in_data(self, data: Value, place: Place) -> None:
        """Search a ConfigMap for the manifests in it, and for the kubectl of upgrades."""
        if not isinstance(data, dict) or id(data) in self._seen_in_data:
            return
        self._seen_in_data.add(id(data))
        for key, text in data.items():
            if not isinstance(text, str):
                continue
            if key.startswith(_KUBECTL):
                self.found.add(text, place)
            elif key.endswith(_MANIFESTS) and id(text) not in self._seen_in_data:
                self._seen_in_data.add(id(text))
                # What is no manifest is no fault of this one.
                inner = Found()
                for document, where in inner.read(text, place):
                    if isinstance(document, dict) and "kind" in document:
                        _Search(self.found).run(document, where, is_nested=True)


def _place_of(value: Mapping[str, Value], place: Place) -> Place:
    """Name the object that a dict is, if it is one; else it belongs to that around it."""
    kind, metadata = value.get("kind"), value.get("metadata")
    if not isinstance(kind, str) or not isinstance(metadata, dict) or "apiVersion" not in value:
        return place
    names = [metadata.get("namespace"), metadata.get("name") or metadata.get("generateName")]
    name = "/".join(name for name in names if isinstance(name, str))
    return attrs.evolve(place, owner=f"{kind} {name}".strip()) if name else place
