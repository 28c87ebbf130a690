"""How two states of an object differ, and what a patch makes of a state.

Patches: RFC 6902 (JSON Patch), RFC 7386 (JSON Merge Patch), and the strategic merge patch of Kubernetes as far as the
patch itself and the merge keys of the core types say. Values are those of `json.loads`; nothing is changed in place.
"""

from __future__ import annotations

import json
import marshal
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

WHOLE = "(whole object)"


class Absent(Enum):
    """The value of a field that is not there, which is not null."""

    ABSENT = ""


ABSENT = Absent.ABSENT
Difference = tuple[str, Any, Any]

# What changes with every write, or says the same as another field; kubectl keeps a copy of what it applied.
_VOLATILE = frozenset({"resourceVersion", "managedFields", "generation", "uid", "creationTimestamp", "selfLink"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What tells the items of a list apart, the first that every item has and no two share.
_ITEM_KEYS = ("name", "mountPath", "containerPort", "port", "type", "key", "uid", "ip", "topologyKey")
# Fields whose lists a strategic merge patch merges, and by which key; other lists are replaced.
# Source: the patchMergeKey tags of k8s.io/api.
_MERGE_KEYS = {
    **dict.fromkeys(("containers", "initContainers", "ephemeralContainers", "volumes", "env", "webhooks"), ("name",)),
    **dict.fromkeys(("imagePullSecrets", "secrets", "resourceClaims", "validations", "matchConditions"), ("name",)),
    **dict.fromkeys(("conditions", "addresses"), ("type",)),
    **dict.fromkeys(("podIPs", "hostIPs", "hostAliases"), ("ip",)),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "ownerReferences": ("uid",),
    "topologySpreadConstraints": ("topologyKey",),
}
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*")
_DIRECTIVE = re.compile(r"\$(patch|retainKeys|(setElementOrder|deleteFromPrimitiveList)/.*)")
# As the API server does: a patch of more operations, or that copies more, is refused there.
_MOST_OPERATIONS = 10_000
_MOST_COPIED = 3 * 1024 * 1024
_DEEPEST = 64
_LONGEST = 2_000


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Each field that differs, as its path, the value before and the value after; `ABSENT` where there is none.

    Items of a list are matched by what names them (name, mountPath, port and so on); where nothing does, equal items
    are matched first and the others by their order. A list of plain values is one value.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            old, new = before.get(key, ABSENT), after.get(key, ABSENT)
            if not _is_one(old, new):
                yield from differences(old, new, path_to(path, key))
    elif isinstance(before, list) and isinstance(after, list) and _hold_objects(before) and _hold_objects(after):
        found = False
        for difference in _list_differences(before, after, path):
            found = True
            yield difference
        if not found and _canonical(before) != _canonical(after):  # the same items in another order
            yield path or WHOLE, before, after
    elif not _same(before, after):
        yield path or WHOLE, before, after


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The fields that a merge patch or an applied object names, with their values; directives are told as they are."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, path_to(path, key))
        return
    if isinstance(value, list) and value and _hold_objects(value):
        key = _item_key(value)
        for index, item in enumerate(value):
            rest = {name: inner for name, inner in item.items() if name != key}
            yield from leaves(rest or item, _item_path(path, key, item, index))
        return
    yield path or WHOLE, value


def without_volatile(state: Mapping[str, Any], with_status: bool = False) -> dict[str, Any]:
    """The state without what changes with every write, and without its status unless that is asked for."""
    kept = {key: value for key, value in state.items() if with_status or key != "status"}
    metadata = kept.get("metadata")
    if isinstance(metadata, dict):
        metadata = {key: value for key, value in metadata.items() if key not in _VOLATILE}
        annotations = metadata.get("annotations")
        if isinstance(annotations, dict) and _LAST_APPLIED in annotations:
            metadata["annotations"] = {key: value for key, value in annotations.items() if key != _LAST_APPLIED}
            if not metadata["annotations"]:
                del metadata["annotations"]
        kept["metadata"] = metadata
    return kept


def text_of(value: Any, longest: int = _LONGEST) -> str | None:
    """A value as text: text as it is, everything else as JSON; None where there is none; cut at 2,000 characters."""
    if value is ABSENT:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"


def path_to(path: str, key: str) -> str:
    """The path of a key below a path; a key that is no plain name stands in brackets, as in annotations["a/b"]."""
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def shallow(value: Any, depth: int = _DEEPEST) -> Any:
    """The value with null in the place of whatever is nested deeper than 64 levels."""
    if isinstance(value, dict):
        return {key: shallow(inner, depth - 1) for key, inner in value.items()} if depth else None
    if isinstance(value, list):
        return [shallow(inner, depth - 1) for inner in value] if depth else None
    return value


# --- patches --------------------------------------------------------------------------------------------------------


def patched(state: Any, patch: Any, is_strategic: bool = True) -> Any:
    """The state after a patch; None where the patch does not fit the state.

    Args:
        state: The object before.
        patch: A list is a JSON patch, an object a merge patch.
        is_strategic: Whether lists of a merge patch are merged by their keys, as for the types that Kubernetes has
            built in; a merge patch of RFC 7386 replaces them.
    """
    if isinstance(patch, list):
        return json_patched(state, patch)
    return _merged(state, patch, is_strategic) if isinstance(patch, dict) else None


def json_patched(state: Any, operations: Sequence[Any]) -> Any:
    """The state after a JSON patch; None where an operation has no place in it, or a test of it fails."""
    if len(operations) > _MOST_OPERATIONS:
        return None
    copied = 0
    try:
        for operation in operations:
            name, place = operation["op"], _pointer(operation["path"])
            if name in ("move", "copy"):
                source = _pointer(operation["from"])
                value = _at(state, source)
                copied += len(json.dumps(value)) if name == "copy" else 0
                if copied > _MOST_COPIED or (name == "move" and place[: len(source)] == source != place):
                    return None
                state = _placed(_removed(state, source) if name == "move" else state, place, value, True)
            elif name in ("add", "replace"):
                state = _placed(state, place, operation["value"], name == "add")
            elif name == "remove":
                state = _removed(state, place)
            elif name != "test" or not _same(_at(state, place), operation["value"]):
                return None
    except (LookupError, TypeError, ValueError):  # no such place, or no such operation
        return None
    return state


def patch_fields(patch: Any) -> Iterator[tuple[str, Any]]:
    """The fields that a patch names and the values that it gives them, without the state that it was made for."""
    if not isinstance(patch, list):
        yield from leaves(patch)
        return
    for operation in patch:
        if isinstance(operation, dict) and operation.get("op") != "test":
            path = ""
            for key in _text(operation.get("path")).split("/")[1:]:
                path = path_to(path, _unescaped(key))
            source = f"(from {_text(operation.get('from'))})" if "from" in operation else ABSENT
            yield path or WHOLE, operation.get("value", source)


def _merged(state: Any, patch: Any, is_strategic: bool) -> Any:
    if not isinstance(patch, dict):
        return patch
    if is_strategic and patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    result = dict(state) if isinstance(state, dict) else {}
    if is_strategic and isinstance(patch.get("$retainKeys"), list):
        kept = patch["$retainKeys"]
        result = {key: value for key, value in result.items() if key in kept}
    for key, value in patch.items():
        if is_strategic and _DIRECTIVE.fullmatch(key):
            _, _, field = key.partition("/")
            if key.startswith("$deleteFromPrimitiveList") and isinstance(value, list):
                present = result.get(field)
                result[field] = [each for each in (present if isinstance(present, list) else []) if each not in value]
        elif value is None or (is_strategic and isinstance(value, dict) and value.get("$patch") == "delete"):
            result.pop(key, None)
        elif is_strategic and isinstance(value, list):
            result[key] = _merged_list(result.get(key), value, key)
        else:
            result[key] = _merged(result.get(key), value, is_strategic)
    return result


def _merged_list(state: Any, patch: list[Any], field: str) -> list[Any]:
    present = state if isinstance(state, list) else []
    if field == "finalizers":
        return [*present, *(each for each in patch if each not in present)]
    key = next((key for key in _MERGE_KEYS.get(field, ()) if _names_items(patch, key)), "")
    if not key or any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and item.get("$patch") == "replace")]
    changed = {text_of(item[key]): item for item in patch if key in item}
    result = []
    for item in present:
        change = changed.pop(text_of(item[key]), None) if isinstance(item, dict) and key in item else None
        if change is None:
            result.append(item)
        elif change.get("$patch") != "delete":
            result.append(_merged(item, change, True))
    return result + [_merged({}, item, True) for item in changed.values() if item.get("$patch") != "delete"]


def _names_items(items: list[Any], key: str) -> bool:
    return bool(items) and all(isinstance(item, dict) and (key in item or "$patch" in item) for item in items)


def _pointer(text: str) -> list[str]:
    if text and not text.startswith("/"):
        raise ValueError(text)
    return [_unescaped(part) for part in text.split("/")[1:]]


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _at(state: Any, place: list[str]) -> Any:
    for key in place:
        state = state[_index(key, len(state))] if isinstance(state, list) else state[key]
    return state


def _placed(state: Any, place: list[str], value: Any, may_add: bool) -> Any:
    if not place:
        return value
    key, rest = place[0], place[1:]
    if isinstance(state, list):
        if rest or not may_add:
            index = _index(key, len(state))
            return [*state[:index], _placed(state[index], rest, value, may_add), *state[index + 1 :]]
        index = len(state) if key == "-" else _index(key, len(state) + 1)
        return [*state[:index], value, *state[index:]]
    if rest or not may_add:
        return {**state, key: _placed(state[key], rest, value, may_add)}
    return {**state, key: value}


def _removed(state: Any, place: list[str]) -> Any:
    if not place:
        raise LookupError
    key, rest = place[0], place[1:]
    if isinstance(state, list):
        index = _index(key, len(state))
        return [*state[:index], *([_removed(state[index], rest)] if rest else []), *state[index + 1 :]]
    inner = state[key]
    if rest:
        return {**state, key: _removed(inner, rest)}
    return {name: value for name, value in state.items() if name != key}


def _index(key: str, length: int) -> int:
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", key) or int(key) >= length:
        raise LookupError(key)
    return int(key)


# --- lists ----------------------------------------------------------------------------------------------------------


def _list_differences(before: list[Any], after: list[Any], path: str) -> Iterator[Difference]:
    key = _item_key([*before, *after], is_unique=False)
    if key and _is_unique(before, key) and _is_unique(after, key):
        old = {text_of(item[key]): item for item in before}
        new = {text_of(item[key]): item for item in after}
        for name in [*old, *(name for name in new if name not in old)]:
            one, other = old.get(name, ABSENT), new.get(name, ABSENT)
            if not _is_one(one, other):
                yield from differences(one, other, f"{path}[{key}={name}]")
        return
    # Equal items first, each once.
    left = [(index, item, _canonical(item)) for index, item in enumerate(before)]
    texts: dict[str, int] = {}
    for _, _, text in left:
        texts[text] = texts.get(text, 0) + 1
    new_items = []
    for index, item in enumerate(after):
        text = _canonical(item)
        if texts.get(text, 0):
            texts[text] -= 1
        else:
            new_items.append((index, item))
    old_items = []
    for index, item, text in reversed(left):
        if texts[text]:
            texts[text] -= 1
            old_items.append((index, item))
    old_items.reverse()
    if len(old_items) == len(new_items):
        for (index, old_item), (_, new_item) in zip(old_items, new_items, strict=True):
            yield from differences(old_item, new_item, f"{path}[{index}]")
        return
    for index, item in old_items:
        yield f"{path}[{index}]", item, ABSENT
    for index, item in new_items:
        yield f"{path}[{index}]", ABSENT, item


def _item_key(items: list[Any], is_unique: bool = True) -> str:
    for key in _ITEM_KEYS:
        if all(isinstance(item.get(key), str | int) for item in items) and (not is_unique or _is_unique(items, key)):
            return key
    return ""


def _is_unique(items: list[Any], key: str) -> bool:
    return len({text_of(item[key]) for item in items}) == len(items)


def _item_path(path: str, key: str, item: Any, index: int) -> str:
    return f"{path}[{key}={text_of(item[key])}]" if key else f"{path}[{index}]"


def _hold_objects(items: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in items)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are one in JSON: true is not 1, and NaN is itself."""
    if one is ABSENT or other is ABSENT or isinstance(one, str) or isinstance(other, str):
        return bool(one == other)
    return _canonical(one) == _canonical(other)


def _is_one(one: Any, other: Any) -> bool:
    """Whether two states are surely the same, which most parts of an object are, found out at the speed of C.

    Python takes true and 1 for equal; their bytes differ.
    """
    return bool(one == other) and (isinstance(one, str) or marshal.dumps(one, 2) == marshal.dumps(other, 2))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
