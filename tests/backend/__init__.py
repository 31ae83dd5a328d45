"""An inference backend for the tests: FastAPI signaling, aiortc media, OpenCV detection."""
