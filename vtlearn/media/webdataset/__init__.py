"""Videos, or pictures with captions, in tar shards: webdataset's layout and img2dataset's.

``writer`` packs them, ``index`` knows how many samples each shard holds, and ``reader`` streams
them. Home-made although webdataset exists: shares are even for any number of processes and
workers, the order is a function of seed and epoch, and no name in an archive leads out of its
folder. The tests read our shards with webdataset, and webdataset's with ours.
"""

__all__: list[str] = []
