"""Voice activity detection with Silero's model, on torch or on ONNX Runtime."""
