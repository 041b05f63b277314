"""Cannot be imported."""

raise ImportError("libsomething.so: no such file")
