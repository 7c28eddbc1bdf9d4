"""Container images without a registry: assembled from Debian, Maven Central, Go modules and this repository.

`build_all` gives docker-archive files that containerd imports; `docs/` say which upstream images they stand in for.
"""

from localcluster.images.archives import build, build_all, image_names

__all__ = ["build", "build_all", "image_names"]
