"""Where torch lives: the model and every way to run it. Imports only stream_retouch's seam, errors and plan."""

import sys

# `import openvino` reports itself to a web analytics service unless its user has opted out. A filter for faces speaks
# to nobody unasked: without this package OpenVINO takes its own silent stand-in.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
