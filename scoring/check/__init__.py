"""What a task's check said: its exit code, its output, and the result of each test in it; and what it is run on."""

from .._globs import path_matcher
from ._build_copy import build_fresh_copy, read_beneath
from ._fresh_copy import FreshCopyPlan, Node, SetAside, plan_fresh_copy
from ._read_report import REPORT_FORMATS, read_report
from ._recorded import check_attributes, recorded_check, with_report
from ._report import Report
from ._result import CheckResult, TestCase, TestOutcome, ToldVerdict
from ._rules import RULES, RULES_VERSION, Rule, explain_rule, rule_of, rules_of
from ._verdict import Verdict, judge_check

__all__ = [
    "REPORT_FORMATS",
    "RULES",
    "RULES_VERSION",
    "CheckResult",
    "FreshCopyPlan",
    "Node",
    "Report",
    "Rule",
    "SetAside",
    "TestCase",
    "TestOutcome",
    "ToldVerdict",
    "Verdict",
    "build_fresh_copy",
    "check_attributes",
    "explain_rule",
    "judge_check",
    "path_matcher",
    "plan_fresh_copy",
    "read_beneath",
    "read_report",
    "recorded_check",
    "rule_of",
    "rules_of",
    "with_report",
]
