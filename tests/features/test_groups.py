import pytest

from basketwise.features import basket, product
from basketwise.features.groups import GROUPS, columns_of, group_of


@pytest.mark.parametrize("groups", [("basket", "product"), ("product", "basket")])
def test_the_order_of_columns_does_not_depend_on_how_groups_are_named(
    groups: tuple[str, ...],
) -> None:
    assert columns_of(groups) == [*basket.COLUMNS, *product.COLUMNS]


def test_each_column_has_one_group() -> None:
    columns = columns_of(list(GROUPS))
    assert len(set(columns)) == len(columns)
    for name, group in GROUPS.items():
        assert columns_of([name]) == list(group.columns)
        assert {group_of(column) for column in group.columns} == {name}
