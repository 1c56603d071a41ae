"""Great Expectations' classes by name, so that a mistyped rule is reported without importing them, which takes seconds."""

from __future__ import annotations

# Each with its own arguments; those with a star are required. tests/contracts/test_wording.py compares them with the library.
_ARGUMENTS = """
ExpectColumnDistinctValuesToBeInSet column* value_set*
ExpectColumnDistinctValuesToContainSet column* value_set*
ExpectColumnDistinctValuesToEqualSet column* value_set*
ExpectColumnKLDivergenceToBeLessThan column* partition_object threshold internal_weight_holdout tail_weight_holdout bucketize_data min_value max_value
ExpectColumnMaxToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnMeanToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnMedianToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnMinToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnMostCommonValueToBeInSet column* value_set* ties_okay
ExpectColumnPairValuesAToBeGreaterThanB column_A* column_B* mostly or_equal ignore_row_if
ExpectColumnPairValuesToBeEqual column_A* column_B* mostly ignore_row_if
ExpectColumnPairValuesToBeInSet column_A* column_B* mostly value_pairs_set* ignore_row_if
ExpectColumnProportionOfNonNullValuesToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnProportionOfUniqueValuesToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnQuantileValuesToBeBetween column* quantile_ranges* allow_relative_error
ExpectColumnStdevToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnSumToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnToExist column* column_index
ExpectColumnTypeToBe column* type_*
ExpectColumnUniqueValueCountToBeBetween column* min_value max_value strict_min strict_max
ExpectColumnValueLengthsToBeBetween column* mostly min_value max_value strict_min strict_max
ExpectColumnValueLengthsToEqual column* mostly value*
ExpectColumnValueZScoresToBeLessThan column* mostly threshold* double_sided*
ExpectColumnValuesToBeBetween column* mostly min_value max_value strict_min strict_max
ExpectColumnValuesToBeDateutilParseable column* mostly
ExpectColumnValuesToBeDecreasing column* mostly strictly
ExpectColumnValuesToBeInSet column* mostly value_set*
ExpectColumnValuesToBeInTypeList column* mostly type_list
ExpectColumnValuesToBeIncreasing column* mostly strictly
ExpectColumnValuesToBeJsonParseable column* mostly
ExpectColumnValuesToBeNull column* mostly
ExpectColumnValuesToBeOfType column* mostly type_*
ExpectColumnValuesToBeUnique column* mostly
ExpectColumnValuesToMatchJsonSchema column* mostly json_schema*
ExpectColumnValuesToMatchLikePattern column* mostly like_pattern* escape
ExpectColumnValuesToMatchLikePatternList column* mostly like_pattern_list* match_on escape
ExpectColumnValuesToMatchRegex column* mostly regex
ExpectColumnValuesToMatchRegexList column* mostly regex_list* match_on
ExpectColumnValuesToMatchStrftimeFormat column* mostly strftime_format*
ExpectColumnValuesToNotBeInSet column* mostly value_set*
ExpectColumnValuesToNotBeNull column* mostly
ExpectColumnValuesToNotBeOutliers column* mostly method multiplier
ExpectColumnValuesToNotMatchLikePattern column* mostly like_pattern* escape
ExpectColumnValuesToNotMatchLikePatternList column* mostly like_pattern_list* escape
ExpectColumnValuesToNotMatchRegex column* mostly regex*
ExpectColumnValuesToNotMatchRegexList column* mostly regex_list*
ExpectCompoundColumnsToBeUnique column_list* mostly ignore_row_if
ExpectMulticolumnSumToEqual column_list* mostly ignore_row_if sum_total*
ExpectMulticolumnValuesToBeEqual column_list* mostly ignore_row_if
ExpectMulticolumnValuesToBeUnique column* mostly column_list* ignore_row_if
ExpectQueryResultsToMatchComparison base_query* comparison_data_source_name* comparison_query* mostly
ExpectSelectColumnValuesToBeUniqueWithinRecord column_list* mostly ignore_row_if
ExpectTableColumnCountToBeBetween min_value max_value
ExpectTableColumnCountToEqual value*
ExpectTableColumnsToMatchOrderedList column_list
ExpectTableColumnsToMatchSet column_set exact_match
ExpectTableRowCountToBeBetween min_value max_value strict_min strict_max
ExpectTableRowCountToEqual value*
ExpectTableRowCountToEqualOtherTable other_table_name*
UnexpectedRowsExpectation unexpected_rows_query*
"""  # noqa: E501
EXPECTATIONS = {name: tuple(arguments) for name, *arguments in map(str.split, _ARGUMENTS.strip().splitlines())}
# Every class has these as well.
COMMON = (
    "row_condition",
    "condition_parser",
    "batch_id",
    "notes",
    "description",
    "windows",
    "result_format",
    "catch_exceptions",
)
