"""Pipelines without torch: their encoders as ONNX models, in float32 or quantised, and what that costs."""
