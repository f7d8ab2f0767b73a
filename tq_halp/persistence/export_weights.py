"""Export of a model's weights to one file, as integers, scales and formats; and the import."""

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tq_halp.atomic_files import replacing
from tq_halp.byte_order import native
from tq_halp.errors import InputError
from tq_halp.layers.lora import updates_of
from tq_halp.persistence import format_codes
from tq_halp.persistence.check_file_matches_model import check_same
from tq_halp.persistence.named_weights import weights_by_name
from tq_halp.persistence.packed_integers import pack, signed, unpack, unsigned
from tq_halp.quantization_map.copying.copy_state import settle
from tq_halp.quantizers import Quantizer

KIND, VERSION = "tq_halp export", 1
MANIFEST = "manifest"
_NUMPY_WIDTHS = (8, 16, 32, 64)  # integers of other widths are packed into bytes


@dataclasses.dataclass(frozen=True)
class ExportedTensor:
    """One weight of an export."""

    numbers: np.ndarray  # the values with which the layer computes
    codes: np.ndarray | None  # uint64 bit patterns, of the same shape; None: floating point
    scale: np.ndarray | None  # as in `format_codes.Encoded`
    quantizer: Quantizer | None
    manifest: Mapping[str, Any]  # its entry in the manifest


def export(model: keras.Model, path: str | Path) -> None:
    """Writes the weights of a model to an .npz file, quantized ones as integers.

    The file holds an array for each weight, under the name "<path of its layer>/<variable>":

    * A quantized weight: its codes (`format_codes.encode`). Codes of 8, 16, 32 or 64 bits are
      integers of the weight's shape. Codes of other widths are packed without gaps into bytes,
      element 0 in the lowest bits. "<name>:scale" holds the scales, if the format has any.
    * Any other weight: its numbers (bfloat16 as uint16).

    "manifest" is a JSON text: kind, version, the model's name; for each weight its shape and the
    dtype of the numbers; for each quantized weight also role, quantizer, bits, signed, packed and
    counter.

    The numbers are those with which the layer computes in inference, in its compute dtype. So
    stochastic rounding draws from the layer's current counter. The manifest holds the counter, and
    exporting twice gives the same file. `QuantEmbedding` is an exception: it draws by position in
    the batch, the export by position in the table. Of a schedule, the current stage is exported.

    Raises:
        InputError: `model` is not a built Keras model; a weight holds a NaN or an infinity for
            which its format has no code, or has a LoRA update; or the directory does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"path must be in a directory that exists. Received: {str(path)!r}")
    arrays: dict[str, np.ndarray] = {}
    tensors: dict[str, dict[str, Any]] = {}
    _check_merged(model)
    for name, weight in weights_by_name(model).items():
        numbers, step = weight.quantized()
        try:
            tensors[name] = _store(arrays, name, numbers, step, weight.quantizer)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        if weight.quantizer is not None:
            tensors[name] |= {"role": weight.role, "counter": weight.counter}
    manifest = {"kind": KIND, "version": VERSION, "model": model.name, "tensors": tensors}
    arrays[MANIFEST] = np.array(json.dumps(manifest, indent=1))
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def _check_merged(model: keras.Model) -> None:
    for update in updates_of(model) if isinstance(model, keras.Model) else ():
        if not update.is_zero:
            raise InputError(
                f"layer {update.layer.name!r} has a LoRA update beside its {update.weight.name}: "
                "model.save and load_model merge the two; export the model that was loaded"
            )


def _store(
    arrays: dict[str, np.ndarray],
    name: str,
    numbers: np.ndarray,
    step: float | None,
    quantizer: Quantizer | None,
) -> dict[str, Any]:
    """Puts the arrays of a weight into `arrays`; returns its entry in the manifest."""
    entry = {"shape": list(numbers.shape), "dtype": tf.as_dtype(numbers.dtype).name}
    if quantizer is not None:
        entry["quantizer"] = quantizer.get_config()
    if quantizer is None or not format_codes.has_codes(quantizer.format):
        arrays[name] = numbers.view(np.uint16) if entry["dtype"] == "bfloat16" else numbers
        return entry
    encoded = format_codes.encode(quantizer.format, numbers, step)
    back = format_codes.decode(quantizer.format, encoded, numbers.dtype)
    assert back.tobytes() == numbers.tobytes() or np.isnan(numbers).any(), (name, quantizer)
    is_packed = encoded.bits not in _NUMPY_WIDTHS
    arrays[name] = pack(encoded.codes, encoded.bits) if is_packed else _native(encoded)
    if encoded.scale is not None:
        arrays[f"{name}:scale"] = encoded.scale
    return {**entry, "bits": encoded.bits, "signed": encoded.is_signed, "packed": is_packed}


def _native(encoded: format_codes.Encoded) -> np.ndarray:
    if encoded.is_signed:
        return signed(encoded.codes, encoded.bits).astype(f"int{encoded.bits}")
    return encoded.codes.astype(f"uint{encoded.bits}")


def load_export(path: str | Path) -> dict[str, ExportedTensor]:
    """The weights in a file that `export` wrote, by name.

    Raises:
        InputError: the file does not exist, or is of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: native(array) for name, array in file.items()}
        manifest = json.loads(str(arrays[MANIFEST][()]))
        if manifest["kind"] != KIND or manifest["version"] != VERSION:
            raise InputError(
                f"{path}: must be a {KIND!r} of version {VERSION}. Received: "
                f"{manifest['kind']!r} of version {manifest['version']}"
            )
        return {
            name: _restore(arrays[name], arrays.get(f"{name}:scale"), entry)
            for name, entry in manifest["tensors"].items()
        }
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, expected one that tq_halp.export wrote") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a file that tq_halp.export wrote whole: {error}") from error


def _restore(
    array: np.ndarray, scale: np.ndarray | None, entry: Mapping[str, Any]
) -> ExportedTensor:
    dtype = tf.as_dtype(entry["dtype"]).as_numpy_dtype
    shape = tuple(entry["shape"])
    quantizer = Quantizer.from_config(entry["quantizer"]) if "quantizer" in entry else None
    if "bits" not in entry:
        is_viewed = entry["dtype"] == "bfloat16" and array.dtype == np.uint16
        numbers = array.view(dtype) if is_viewed else array
        if numbers.dtype != dtype:
            raise ValueError(f"an array of {array.dtype} where {entry['dtype']} should be")
        return ExportedTensor(numbers.reshape(shape), None, None, quantizer, entry)
    if quantizer is None:
        raise ValueError("codes without a quantizer")
    bits, is_signed = entry["bits"], entry["signed"]
    patterns = unpack(array, bits, shape) if entry["packed"] else unsigned(array, bits, is_signed)
    encoded = format_codes.Encoded(patterns.reshape(shape), bits, is_signed, scale)
    numbers = format_codes.decode(quantizer.format, encoded, dtype)
    return ExportedTensor(numbers, encoded.codes, scale, quantizer, entry)


def import_weights(model: keras.Model, path: str | Path) -> None:
    """Sets every weight of a model to the numbers that a file of `export` holds for its name.

    The model may be quantized or not. A quantized model does not change the numbers, for they are
    on its grids.

    Raises:
        InputError: as `load_export`; or the names or shapes in the file are not those of the
            model, which then is unchanged.
    """
    exported = load_export(path)
    weights = weights_by_name(model)
    check_same(
        {name: tuple(weight.variable.shape) for name, weight in weights.items()},
        {name: tensor.numbers.shape for name, tensor in exported.items()},
        path,
    )
    for name, weight in weights.items():
        weight.variable.assign(exported[name].numbers.astype(weight.variable.dtype))
    settle(model)
