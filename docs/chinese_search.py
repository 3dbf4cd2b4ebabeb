"""The search of the Chinese site: a question as people type it, without spaces, is cut into words that the index has.

Sphinx cuts pages with jieba; a browser has no jieba. Its own Chinese search, as of 9.0, ends with an error at every question: it asks
for a ``ChineseStemmer``, where the script that stems Latin words defines an ``EnglishStemmer``. ``docs/build.py`` looks for that.
"""

from __future__ import annotations

from sphinx.search.zh import SearchChinese

__all__ = ["ChineseSearch"]

_CUT = """
var splitQuery = (query) => {
  const index = Search._index || {};
  const known = (word) => word in (index.terms || {}) || word in (index.titleterms || {});
  const words = [];
  for (const part of query.match(/\\p{Script=Han}+|[^\\p{Script=Han}]+/gu) || []) {
    if (!/\\p{Script=Han}/u.test(part)) {
      words.push(...(part.match(/[\\p{Letter}\\p{Number}_]{2,}/gu) || []));
      continue;
    }
    for (let start = 0; start < part.length; ) {
      let end = Math.min(part.length, start + 8);
      while (end - start > 1 && !known(part.slice(start, end))) end--;
      if (end - start > 1) words.push(part.slice(start, end));
      start = end;
    }
  }
  return words.length ? words : [query.trim()];
};
"""


class ChineseSearch(SearchChinese):
    """Chinese words, the longest that the index has first; words of asking are left out."""

    language_name = "English"  # of the stemmer: it takes the Latin words of a Chinese page
    js_splitter_code = _CUT
    stopwords = SearchChinese.stopwords | {
        "为何", "为什么", "什么", "可以", "哪些", "哪里", "多少", "如何", "怎么", "怎么办", "怎样", "我的", "是不是", "是否", "有没有", "能否",
    }  # fmt: skip
