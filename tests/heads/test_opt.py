import copy
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import OPTForCausalLM

from tests.heads.published_opt import CAPTIONS, publish
from tests.heads.test_captioning import train_step
from tests.processes import Pool
from vtlearn.checkpoints import load_learner
from vtlearn.encoders.video import TinyVideo
from vtlearn.errors import ArgumentError, CheckpointError
from vtlearn.heads import CaptioningDecoder, OPTDecoder
from vtlearn.hyperparameters import to_config
from vtlearn.learner import VideoTextLearner

RAGGED = ["chop", "stir the carrot with a fork", "fry the onion", "now pour"]
CLIPS, FRAMES, PATCHES, WIDTH = 4, 3, 2, 32

TINY: dict[str, Any] = {
    "width": 16,
    "layers": 2,
    "heads": 2,
    "feedforward": 16,
    "vocab_size": 60,
    "max_positions": 32,
    "dropout": 0.0,
}
POST_NORM = {"do_layer_norm_before": False, "word_embed_proj_dim": 8}


def connected(seed: int = 0, **arguments: Any) -> OPTDecoder:
    torch.manual_seed(seed)
    decoder = OPTDecoder(**({"max_words": 12} | arguments))
    decoder.connect(TinyVideo(width=4))  # whose tokens are 32 wide, of 8 frames
    if decoder.needs_vocabulary:
        decoder.build([*CAPTIONS, *RAGGED] * 5)
    return decoder.double()


def built(**arguments: Any) -> OPTDecoder:
    """One of random weights, far from the beginning, where all words are alike."""
    decoder = connected(**(TINY | arguments))
    for parameter in decoder.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return decoder


def wake(decoder: OPTDecoder) -> None:
    """Let an adapter add something."""
    adapter: Any = decoder.adapters[0]
    adapter.alpha.data += 1


def tokens(clips: int = CLIPS, frames: int = FRAMES, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(clips, frames, PATCHES, WIDTH, dtype=torch.float64, generator=generator)


def generated(
    decoder: OPTDecoder, clips: Tensor, beams: int, *, use_cache: bool = True
) -> list[str]:
    """The texts of transformers' own search."""
    start = torch.full((len(clips), 1), 2)
    with torch.no_grad(), decoder.reading(clips):
        rows = decoder.opt.generate(
            start,
            attention_mask=torch.ones_like(start),
            num_beams=beams,
            do_sample=False,
            use_cache=use_cache,
            max_new_tokens=9,
            suppress_tokens=decoder._known().never,
            pad_token_id=1,
        )
    ids = [row[1:] for row in rows.tolist()]
    return decoder._known().decode([row[: row.index(2)] if 2 in row else row for row in ids])


# At the beginning


@pytest.mark.parametrize("options", [None, POST_NORM], ids=["pre-norm", "post-norm"])
@pytest.mark.parametrize("frames", [1, 4, 8, 16])
def test_untrained_it_is_opt_to_the_last_bit(options: dict[str, Any] | None, frames: int) -> None:
    for kind in ("separable", "pooled"):
        decoder = connected(**TINY, adapters=kind, options=options).eval()
        plain: Any = OPTForCausalLM(decoder.opt.config)
        plain.double().eval().load_state_dict(decoder.opt.state_dict())
        ids = torch.randint(3, 40, (3, 7))
        with decoder.reading(tokens(3, frames)):
            found = decoder.opt(ids).logits
        assert torch.equal(found, plain(ids).logits)
        wake(decoder)
        with decoder.reading(tokens(3, frames)):
            assert not torch.equal(decoder.opt(ids).logits, found)


def test_adapters_may_be_few() -> None:
    assert len(built(layers=4).adapters) == 4
    decoder = built(layers=4, every=3)
    assert len(decoder.adapters) == 1
    hooked = [bool(layer._forward_hooks) for layer in decoder.opt.model.decoder.layers]
    assert hooked == [False, False, True, False]


# Losses


def loss_by_hand(decoder: OPTDecoder, text: str, clip: Tensor) -> Tensor:
    """Piece after piece, without padding."""
    (row,), total = decoder._known().encode([text]), torch.zeros((), dtype=torch.float64)
    asked = [*row, 2]
    for place, word in enumerate(asked):
        with decoder.reading(clip[None]):
            logits = decoder.opt(torch.tensor([[2, *asked[:place]]])).logits
        total = total - logits[0, -1].log_softmax(-1)[word]
    return total / len(asked)


@pytest.mark.parametrize("arguments", [{}, {"adapters": "pooled", "options": POST_NORM}], ids=str)
def test_the_loss_is_that_of_a_loop_over_pieces(arguments: dict[str, Any]) -> None:
    decoder, clips = built(**arguments), tokens()
    wanted = [loss_by_hand(decoder, *pair) for pair in zip(RAGGED, clips, strict=True)]
    torch.testing.assert_close(decoder.losses(RAGGED, clips), torch.stack(wanted))
    likelihoods = decoder.log_likelihood(clips, [*RAGGED, ""])
    torch.testing.assert_close(likelihoods.diagonal(), -torch.stack(wanted).detach())
    last = -loss_by_hand(decoder, "", clips[3]).detach()
    torch.testing.assert_close(likelihoods[3, 4], last)


def test_likelihood_is_computed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, clips = built(), tokens(6)
    whole = decoder.log_likelihood(clips, RAGGED)
    monkeypatch.setattr("vtlearn.heads.opt._MOST_LOGITS", 1)
    torch.testing.assert_close(decoder.log_likelihood(clips, RAGGED), whole, rtol=0, atol=1e-12)


def test_a_long_text_is_cut_and_has_no_end() -> None:
    decoder = built(max_words=3)
    (row,) = decoder._known().encode([RAGGED[1]])
    assert decoder._line(row) == ([2, *row[:2]], row[:3])
    assert decoder._line(row[:3]) == ([2, *row[:3]], [*row[:3], 2])
    assert decoder.losses([RAGGED[1]], tokens(1)).isfinite().all()


@pytest.mark.parametrize("rows", [0, 4])
def test_gradient_reaches_what_is_trained(rows: int) -> None:
    for frozen in (False, True):
        decoder = built(freeze=frozen, random_weights=True)
        decoder.losses(RAGGED[:rows], tokens(rows)).sum().backward()
        for name, parameter in decoder.named_parameters():
            assert parameter.requires_grad == (not frozen or name.startswith("adapters")), name
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert (parameter.grad.abs().sum() > 0) == (rows > 0), name


def test_no_clips_and_no_texts() -> None:
    decoder = built()
    assert decoder.losses([], tokens(0)[:, :0]).shape == (0,)
    assert decoder.log_likelihood(tokens(0), RAGGED).shape == (0, 4)
    assert decoder.log_likelihood(tokens(), []).shape == (4, 0)
    assert decoder.generate(tokens(0)) == []
    assert decoder.has_words(["chop", "", " "]).tolist() == [True, False, False]


def test_bf16_losses_are_float32() -> None:
    decoder, clips = built().float(), tokens().float()
    wanted = decoder.losses(RAGGED, clips)
    with torch.autocast("cpu", torch.bfloat16):
        found = decoder.losses(RAGGED, clips)
        assert len(decoder.generate(clips, max_new=3)) == 4
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, rtol=0.1, atol=0.1)


# Writing


@pytest.mark.parametrize("options", [None, POST_NORM], ids=["pre-norm", "post-norm"])
def test_it_writes_what_transformers_does(options: dict[str, Any] | None) -> None:
    texts = set()
    for seed in range(4):
        decoder, clips = built(seed=seed, options=options), tokens(3, seed=seed)
        greedy = decoder.generate(clips, beams=1, max_new=9)
        assert greedy == generated(decoder, clips, 1)
        assert greedy == generated(decoder, clips, 1, use_cache=False)
        for beams in (2, 5):
            with torch.no_grad(), decoder.reading(clips):
                found = decoder._search(3, beams, 1.0, 9)
            written = decoder._known().decode(found.words)
            assert written == generated(decoder, clips, beams)
            assert written == generated(decoder, clips, beams, use_cache=False)
            texts |= {*written, *greedy}
    assert len(texts) > 6  # or it writes without reading


def test_neither_padding_nor_other_clips_change_a_text() -> None:
    decoder, length = built(), torch.tensor([1, 3, 2, 2])
    clips = tokens()
    poisoned = clips.clone()
    for clip, frames in zip(poisoned, length.tolist(), strict=True):
        clip[frames:] = torch.nan
    cut = [decoder.generate(clips[i : i + 1, :n])[0] for i, n in enumerate(length.tolist())]
    assert decoder.generate(poisoned, length) == cut
    losses = decoder.losses(RAGGED, poisoned, length)
    for row, frames in enumerate(length.tolist()):
        alone = decoder.losses(RAGGED[row : row + 1], clips[row : row + 1, :frames])
        torch.testing.assert_close(losses[row], alone[0], rtol=0, atol=1e-12)
    likelihoods = decoder.log_likelihood(poisoned, RAGGED, length)
    torch.testing.assert_close(likelihoods.diagonal(), -losses.detach())


def test_no_text_is_longer_than_asked_for() -> None:
    decoder = built(max_words=5)
    with torch.no_grad(), decoder.reading(tokens()):
        assert max(len(words) for words in decoder._search(4, 3, 0.0, 4).words) <= 4
        assert max(len(words) for words in decoder._search(4, 3, 0.0, 40).words) <= 6


def test_it_learns_the_captions_of_eight_clips() -> None:
    decoder = connected(**TINY | {"width": 32}).float()
    clips = tokens(8).float()
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-2)
    for _ in range(120):
        loss = decoder.losses(CAPTIONS, clips).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert decoder.generate(clips) == decoder.generate(clips, beams=1) == CAPTIONS
    assert (decoder.log_likelihood(clips, CAPTIONS).argmax(1) == torch.arange(8)).all()


# Frozen


def test_frozen_weights_do_not_drift(tmp_path: Path) -> None:
    decoder = connected(weights=str(publish(tmp_path, dropout=0.5))).float().train()
    assert not decoder.opt.training
    assert decoder.adapters.training
    before = copy.deepcopy(decoder.opt.state_dict())
    trained = [p for p in decoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2, weight_decay=0.1)
    losses = []
    for _ in range(25):
        loss = decoder.losses(CAPTIONS, tokens(8).float()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.1  # by the adapters alone
    assert all(torch.equal(before[k], v) for k, v in decoder.opt.state_dict().items())
    loss = decoder.losses(CAPTIONS, tokens(8).float())
    assert torch.equal(loss, decoder.losses(CAPTIONS, tokens(8).float()))  # nothing is dropped


def test_weights_may_be_trained() -> None:
    decoder = built(dropout=0.5).train()
    assert decoder.opt.training
    assert all(parameter.requires_grad for parameter in decoder.parameters())
    assert not torch.equal(decoder.losses(RAGGED, tokens()), decoder.losses(RAGGED, tokens()))


def test_published_weights_read_and_write_their_own_pieces(tmp_path: Path) -> None:
    decoder = connected(weights=str(publish(tmp_path)))
    assert not decoder.needs_vocabulary
    assert decoder._known().decode(decoder._known().encode(CAPTIONS)) == CAPTIONS
    plain: Any = OPTForCausalLM.from_pretrained(tmp_path)
    plain.double().eval()
    ids = torch.randint(4, 200, (2, 6))
    with decoder.reading(tokens(2)):
        assert torch.equal(decoder.opt(ids).logits, plain(ids).logits)


def test_weights_without_tokenizer_learn_pieces(tmp_path: Path) -> None:
    decoder = OPTDecoder(str(publish(tmp_path, tokenizer=False)))
    table = decoder.opt.lm_head.weight
    decoder.connect(TinyVideo(width=4))
    assert decoder.needs_vocabulary
    decoder.build(CAPTIONS * 5)
    assert decoder.opt.lm_head.weight is table
    assert decoder.losses(["chop"], tokens(1).float()).isfinite().all()


# Checkpoints and copies


def learner_of(decoder: OPTDecoder) -> VideoTextLearner:
    return VideoTextLearner(
        TinyVideo(width=4),
        None,
        CaptioningDecoder(decoder, beams=2, max_new=5),
        learning_rates={"head.decoder.adapters": 1e-4},
    )


def saved(learner: VideoTextLearner, path: Path) -> Path:
    checkpoint: dict[str, Any] = {
        "state_dict": learner.state_dict(),
        "hyper_parameters": dict(learner.hparams),
        "pytorch-lightning_version": "2.6.0",
    }
    learner.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, path)
    return path


@pytest.mark.parametrize("tokenizer", [True, False])
def test_a_checkpoint_opens_without_the_folder(tokenizer: bool, tmp_path: Path) -> None:
    folder = publish(tmp_path / "opt", tokenizer=tokenizer, **POST_NORM)
    learner = learner_of(OPTDecoder(str(folder), max_words=7))
    if not tokenizer:
        learner.head.build(CAPTIONS * 5)
    for parameter in learner.head.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    path = saved(learner, tmp_path / "x.ckpt")
    folder.rename(tmp_path / "elsewhere")
    opened = load_learner(path)
    assert isinstance(opened.head, CaptioningDecoder)
    other, decoder = opened.head.decoder, learner.head.decoder
    clips = tokens().float()
    assert isinstance(other, OPTDecoder)
    assert other.max_words == 7
    assert other.generate(clips) == decoder.generate(clips)  # type: ignore[operator, union-attr]
    assert torch.equal(other.losses(RAGGED, clips), decoder.losses(RAGGED, clips))  # type: ignore[operator, union-attr]
    assert not other.opt.lm_head.weight.requires_grad
    again = load_learner(saved(opened, tmp_path / "y.ckpt"))
    assert to_config(again.head) == to_config(opened.head)
    assert decoder.arguments.items() <= other.arguments.items()  # type: ignore[union-attr, operator]


def test_frozen_weights_stay_where_they_came_from(tmp_path: Path) -> None:
    folder = publish(tmp_path / "opt")
    learner = learner_of(OPTDecoder(str(folder)))
    path = saved(learner, tmp_path / "x.ckpt")
    kept = torch.load(path, weights_only=True)
    assert not [name for name in kept["state_dict"] if name.startswith("head.decoder.opt")]
    assert kept["origins"]["head.decoder.opt"]["origin"] == str(folder)
    one, two = (one.eval().head.decoder for one in (learner, load_learner(path)))
    clips = tokens().float()
    assert torch.equal(one.losses(RAGGED, clips), two.losses(RAGGED, clips))  # type: ignore[operator, union-attr]
    assert two.generate(clips) == one.generate(clips)  # type: ignore[operator, union-attr]
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(
        CheckpointError, match=r"weights of head\.decoder\.opt are not in the check"
    ):
        load_learner(path)


def test_weights_that_are_trained_or_asked_for_are_kept(tmp_path: Path) -> None:
    folder = publish(tmp_path / "opt")
    trained = learner_of(OPTDecoder(str(folder), freeze=False))
    head = CaptioningDecoder(OPTDecoder(str(folder)))
    asked_for = VideoTextLearner(TinyVideo(width=4), None, head, keep_frozen=True)
    paths = saved(trained, tmp_path / "x.ckpt"), saved(asked_for, tmp_path / "y.ckpt")
    folder.rename(tmp_path / "elsewhere")
    for path, learner in zip(paths, (trained, asked_for), strict=True):
        opened = load_learner(path).state_dict()
        assert all(
            torch.equal(opened[k], v) for k, v in learner.state_dict().items() if "opt." in k
        )


def test_a_checkpoint_of_random_weights_brings_its_pieces(tmp_path: Path) -> None:
    learner = learner_of(OPTDecoder(**TINY))
    learner.head.build(CAPTIONS * 5)
    opened = load_learner(saved(learner, tmp_path / "x.ckpt"))
    assert not opened.head.needs_vocabulary
    clips = tokens().float()
    one, two = (one.eval().head.decoder for one in (learner, opened))
    assert torch.equal(one.losses(RAGGED, clips), two.losses(RAGGED, clips))  # type: ignore[operator, union-attr]
    table = two.opt.lm_head.weight  # type: ignore[union-attr]
    assert table is two.opt.get_input_embeddings().weight  # type: ignore[union-attr, operator]
    opened.load_state_dict(learner.state_dict())
    assert two.opt.lm_head.weight is table  # type: ignore[union-attr]  # an optimiser may hold it


def test_what_could_not_be_read_is_missed_at_the_first_use(tmp_path: Path) -> None:
    decoder = OPTDecoder(str(tmp_path / "none"), **TINY)
    decoder.connect(TinyVideo(width=4))
    for act in (lambda: decoder.build(CAPTIONS), lambda: decoder.has_words(CAPTIONS)):
        with pytest.raises(ArgumentError, match="is not a directory; give a folder with"):
            act()


@pytest.mark.parametrize("options", [None, POST_NORM], ids=["pre-norm", "post-norm"])
def test_copies_are_alike_and_apart(options: dict[str, Any] | None) -> None:
    decoder = built(options=options)
    wanted = decoder.losses(RAGGED, tokens())
    for twin in (copy.deepcopy(decoder), pickle.loads(pickle.dumps(decoder))):  # noqa: S301
        assert torch.equal(twin.losses(RAGGED, tokens()), wanted)
        wake(twin)
        assert not torch.equal(twin.losses(RAGGED, tokens()), wanted)
    assert torch.equal(decoder.losses(RAGGED, tokens()), wanted)


# Mistakes


def unconnected() -> OPTDecoder:
    decoder = OPTDecoder(**TINY)
    decoder.build(CAPTIONS * 5)
    return decoder


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (lambda: OPTDecoder(**TINY, freeze=True), "set random_weights to true"),
        (lambda: OPTDecoder(**TINY, adapters="none"), "expected one of separable, pooled"),  # type: ignore[arg-type]
        (lambda: OPTDecoder(**TINY, every=0), "every must be positive"),
        (lambda: OPTDecoder(**TINY, every=3), "every=3 leaves 2 layers"),
        (lambda: OPTDecoder(**TINY, reduction=3), "divide by adapter_heads=4"),
        (lambda: OPTDecoder(**TINY, max_words=32), "need 33 positions"),
        (lambda: OPTDecoder(**TINY | {"heads": 3}), "heads=3 has to divide width=16"),
        (lambda: OPTDecoder(**TINY | {"layers": 0}), "layers must be positive"),
        (lambda: OPTDecoder(**TINY, options={"depth": 3}), "options have depth"),
        (lambda: OPTDecoder(**TINY).has_words(["a"]), "call build(captions)"),
        (lambda: unconnected().losses(["chop"], tokens(1)), "connect it first"),
        (lambda: built().losses(["chop"], tokens(2)), "1 texts came with 2 clips"),
        (lambda: built().losses([" "], tokens(1)), "' ' has no words to predict"),
        (lambda: built().losses(["chop"], tokens(1)[..., :7]), "patches, 32)"),
        (lambda: built().losses(["chop"], tokens(1), masked=True), "set predict to caption"),
        (lambda: built().generate(tokens(1), beams=0), "must be positive"),
        (lambda: built().opt(torch.tensor([[2]])), "with decoder.reading(tokens)"),
        (lambda: built(vocab_size=5), "larger vocab_size"),
    ],
)
def test_mistakes_are_named(act: Callable[[], object], complaint: str) -> None:
    with pytest.raises(ArgumentError, match=re.escape(complaint)):
        act()


def test_other_sizes_than_those_of_the_weights_are_refused(tmp_path: Path) -> None:
    folder = str(publish(tmp_path))
    with pytest.raises(ArgumentError, match="have width=16, not 32: leave width out"):
        OPTDecoder(folder, width=32)
    with pytest.raises(ArgumentError, match="have activation_function=relu, not gelu"):
        OPTDecoder(folder, options={"activation_function": "gelu"})
    assert OPTDecoder(folder, width=16).arguments["layers"] == 2


# Processes


@pytest.mark.ddp
@pytest.mark.slow  # two processes import transformers first
@pytest.mark.parametrize("frozen", [False, True])
def test_two_processes_train_as_one(frozen: bool, two_processes: Pool) -> None:
    head = CaptioningDecoder(built(freeze=frozen, random_weights=True))
    head.connect(TinyVideo(width=4), None)
    for numbers in (([4, 2, 3, 1], [4, 2, 3, 1]), ([4, 2, 0, 0], [4, 2, 0, 0])):
        head.zero_grad()
        alone = train_step(head, numbers)
        head.zero_grad()
        for together in two_processes.run(train_step, head, numbers):
            torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)
