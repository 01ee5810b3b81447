import torch

from vtlearn.evaluation.metrics.similarity import comparable, product


def test_product_is_the_float64_product_rounded_once() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, columns = torch.randn(7, 33, generator=generator), torch.randn(5, 33, generator=generator)
    expected = torch.tensor(
        [
            [sum(float(a) * float(b) for a, b in zip(r, c, strict=True)) for c in columns]
            for r in rows
        ]
    )
    assert torch.equal(product(rows, columns), expected)


def test_equal_vectors_get_equal_scores_wherever_they_stand() -> None:
    generator = torch.Generator().manual_seed(1)
    one = torch.randn(1, 301, generator=generator)
    query = torch.randn(11, 301, generator=generator)
    scores = product(query, one.expand(1013, -1))
    assert (scores == scores[:, :1]).all()
    assert torch.equal(product(query[4:5], one), scores[4:5, :1])


def test_product_fills_what_it_is_given() -> None:
    rows = torch.eye(2)
    work, out = torch.empty(2, 2, dtype=torch.float64), torch.empty(2, 2)
    assert product(rows, rows, work=work, out=out) is out
    assert torch.equal(out, rows)


def test_cosine_scales_and_dot_does_not() -> None:
    vectors = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.bfloat16)
    assert comparable(vectors, "cosine").tolist() == [[0.6, 0.8], [0.0, 0.0]]
    assert comparable(vectors, "dot").tolist() == [[3.0, 4.0], [0.0, 0.0]]
