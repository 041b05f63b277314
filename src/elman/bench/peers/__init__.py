"""The contenders, a file each, imported in processes of their own: see :class:`elman.bench._contenders.Contender`."""
