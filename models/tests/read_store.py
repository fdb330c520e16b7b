#!/usr/bin/env python3
"""Prints what Python's zarr 2 finds in a store, as JSON: attributes, arrays (shape, dtype, values as hexadecimal), groups.

Usage: read_store.py STORE. Needs zarr < 3.
"""

import json
import sys

import zarr

group = zarr.open_group(sys.argv[1], mode="r")
arrays = {
    name: {"shape": array.shape, "dtype": array.dtype.str, "bytes": array[:].tobytes().hex()}
    for name, array in group.arrays()
}
print(json.dumps({"attributes": group.attrs.asdict(), "arrays": arrays, "groups": list(group.group_keys())}))
