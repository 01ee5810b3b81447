import pytest

from vtlearn.datasets.cut_ids import Cut, cut_seconds, parse_cut_id


@pytest.mark.parametrize(
    ("clip_id", "cut"),
    [
        ("-4wsuPCjDBc_5_15", Cut("-4wsuPCjDBc", 5, 15)),
        ("Ptf_2VRj-V0_000122_000132", Cut("Ptf_2VRj-V0", 122, 132)),
        ("_aaMGK6GG_w_57_61", Cut("_aaMGK6GG_w", 57, 61)),
        ("fIaLVw_Gc_w_99_109", Cut("fIaLVw_Gc_w", 99, 109)),
        ("ab_1_2_3_4", Cut("ab_1_2", 3, 4)),
        ("abcdefghij__0_10", Cut("abcdefghij_", 0, 10)),
    ],
)
def test_an_id_is_split_from_the_right(clip_id: str, cut: Cut) -> None:
    assert parse_cut_id(clip_id) == cut


@pytest.mark.parametrize("clip_id", ["video7020", "a_5_b", "_5_15", "a_15_5", "a_5_5", "a_-5_15"])
def test_an_id_may_not_say(clip_id: str) -> None:
    assert parse_cut_id(clip_id) is None
    assert cut_seconds([clip_id, "a_1_3"]) == {"a_1_3": 2}
