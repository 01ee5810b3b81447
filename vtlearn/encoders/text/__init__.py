"""Text encoders turn texts into vectors, and bring the tokenizer that belongs to them.

``word2vec`` is the bag of words that MIL-NCE and VT-TWINS train; its words come from a file or
from the training captions. ``tiny`` learns subwords from the training captions. Both pool by the
maximum over words. ``bert`` is the transformer of VideoCLIP and TempCLR, over the pieces of words
that ``wordpiece`` reads or learns. All keep their vocabulary in the checkpoint, and share
``table``: a table of word vectors that grows when the vocabulary is known.
"""

from vtlearn.encoders.text.bert import Bert
from vtlearn.encoders.text.tiny import TinyText
from vtlearn.encoders.text.word2vec import Word2Vec

__all__ = ["Bert", "TinyText", "Word2Vec"]
