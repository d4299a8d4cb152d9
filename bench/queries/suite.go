package main

import (
	"strconv"
	"strings"
)

// query is one query of the suite. Text is SQL that all systems understand, but for what duck and lite say otherwise. {words} in
// it are replaced by facts about the data.
type query struct {
	name    string
	text    string
	duck    string // for DuckDB, where it differs
	lite    string // for SQLite, where it differs; "-" where it has no such thing
	ordered bool   // the order of the rows is part of the answer
	lookup  bool   // reads few rows: not one of the scans
	odd     bool   // takes a text for the lines added as NULL: it is measured with odd values too
}

// suite returns the queries. {commit}, {change} are numbers in the middle of the logs, {sha} is a commit there.
func suite() []query {
	return []query{
		{name: "count, filtered", odd: true, text: `SELECT count(*) FROM changes WHERE ins > 100`},
		{name: "count by kind", text: `SELECT is_merge, parents, count(*) FROM commits GROUP BY is_merge, parents`},
		{name: "sums by 377 keys", odd: true, text: `SELECT dir, count(*), sum(ins), sum(del) FROM changes GROUP BY dir`},
		{name: "sums by 157,642 keys", odd: true, text: `SELECT count(*), sum(n), sum(i), max(i) FROM (SELECT path, count(*) AS n, sum(ins) AS i FROM changes GROUP BY path) AS g`},
		{
			name: "windows of 10,000 rows", odd: true,
			text: `SELECT _seq // 10000 AS w, count(*), sum(ins), max(del) FROM changes GROUP BY w`,
			duck: `SELECT seq // 10000 AS w, count(*), sum(ins), max(del) FROM changes GROUP BY w`,
			lite: `SELECT seq / 10000 AS w, count(*), sum(ins), max(del) FROM changes GROUP BY w`,
		},
		{
			name: "daily windows", odd: true,
			text: `SELECT epoch_ms(date_trunc('day', make_timestamp_ms(ts * 1000))) AS d, count(*), sum(ins) FROM changes GROUP BY d`,
			lite: `SELECT ts / 86400 * 86400000 AS d, count(*), sum(ins) FROM changes GROUP BY d`,
		},
		{name: "distinct authors", text: `SELECT count(DISTINCT author) FROM commits`},
		{
			name: "distinct authors per month",
			text: `SELECT epoch_ms(date_trunc('month', make_timestamp_ms(ts * 1000))) AS m, count(DISTINCT author) FROM commits GROUP BY m`,
			lite: `SELECT CAST(strftime('%s', ts, 'unixepoch', 'start of month') AS INTEGER) * 1000 AS m, count(DISTINCT author) FROM commits GROUP BY m`,
		},
		{
			name: "three exact percentiles",
			text: `SELECT quantile_cont(ins, 0.5), quantile_cont(ins, 0.9), quantile_cont(ins, 0.99) FROM changes`,
			lite: `-`,
		},
		{name: "min/max by extension", text: `SELECT ext, min(ins), max(ins), min(del), max(del) FROM changes GROUP BY ext`},
		{
			name: "inner join with filters",
			text: `SELECT c.repo, count(*), sum(x.ins) FROM changes x JOIN commits c ON x.sha = c.sha WHERE x.ext = 'go' AND c.files < 20 GROUP BY c.repo`,
		},
		{
			name: "left join",
			text: `SELECT c.repo, count(*), sum(c.subj_len) FROM commits c LEFT JOIN changes x ON c.sha = x.sha WHERE x.sha IS NULL GROUP BY c.repo`,
		},
		{
			name: "point", lookup: true,
			text: `SELECT _seq, repo, sha, author, ts, files, ins, del FROM commits WHERE _seq = {commit}`,
			duck: `SELECT seq, repo, sha, author, ts, files, ins, del FROM commits WHERE seq = {commit}`,
			lite: `SELECT seq, repo, sha, author, ts, files, ins, del FROM commits WHERE seq = {commit}`,
		},
		{
			name: "range of 1,000 rows", lookup: true,
			text: `SELECT _seq, repo, path, ins, del FROM changes WHERE _seq >= {change} AND _seq < {change} + 1000`,
			duck: `SELECT seq, repo, path, ins, del FROM changes WHERE seq >= {change} AND seq < {change} + 1000`,
			lite: `SELECT seq, repo, path, ins, del FROM changes WHERE seq >= {change} AND seq < {change} + 1000`,
		},
		{
			name: "latest twenty", lookup: true, ordered: true,
			text: `SELECT _seq, repo, path, ins, del FROM changes ORDER BY _seq DESC LIMIT 20`,
			duck: `SELECT seq, repo, path, ins, del FROM changes ORDER BY seq DESC LIMIT 20`,
			lite: `SELECT seq, repo, path, ins, del FROM changes ORDER BY seq DESC LIMIT 20`,
		},
		{name: "prefix LIKE", odd: true, text: `SELECT count(*), sum(ins) FROM changes WHERE path LIKE 'activerecord/%'`},
		{name: "IN list", odd: true, text: `SELECT ext, count(*), sum(ins) FROM changes WHERE ext IN ('go', 'rb', 'py', 'java', 'c', 'md') GROUP BY ext`},
		{
			name: "OR, NOT, NULL mix",
			text: `SELECT count(*), sum(del) FROM changes WHERE (ext IS NULL OR NOT (ext = 'go' OR dir = 'test')) AND (ins IS NULL OR ins > 5 OR del > 50)`,
		},
		{
			name: "top 100", ordered: true,
			text: `SELECT _seq, path, ins FROM changes WHERE ins IS NOT NULL ORDER BY ins DESC, _seq LIMIT 100`,
			duck: `SELECT seq, path, ins FROM changes WHERE ins IS NOT NULL ORDER BY ins DESC, seq LIMIT 100`,
			lite: `SELECT seq, path, ins FROM changes WHERE ins IS NOT NULL ORDER BY ins DESC, seq LIMIT 100`,
		},
		{
			name: "hopping week, by day",
			text: `SELECT ts // 86400 - k AS d, count(*), sum(ins) FROM commits CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6)) AS v(k) GROUP BY d`,
			lite: `SELECT ts / 86400 - v.column1 AS d, count(*), sum(ins) FROM commits CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6)) AS v GROUP BY d`,
		},
		{
			name: "moving sum of 100 rows per repository",
			text: `SELECT count(s), sum(s), max(s) FROM (SELECT sum(ins) OVER (PARTITION BY repo ORDER BY _seq ROWS BETWEEN 99 PRECEDING AND CURRENT ROW) AS s FROM changes) AS w`,
			duck: `SELECT count(s), sum(s), max(s) FROM (SELECT sum(ins) OVER (PARTITION BY repo ORDER BY seq ROWS BETWEEN 99 PRECEDING AND CURRENT ROW) AS s FROM changes) AS w`,
			lite: `SELECT count(s), sum(s), max(s) FROM (SELECT sum(ins) OVER (PARTITION BY repo ORDER BY seq ROWS BETWEEN 99 PRECEDING AND CURRENT ROW) AS s FROM changes) AS w`,
		},
		{
			name: "latest per (repository, path)",
			text: `SELECT count(*), min(s), max(s) FROM (SELECT repo, path, last(sha) AS s FROM changes GROUP BY repo, path) AS g`,
			duck: `SELECT count(*), min(s), max(s) FROM (SELECT repo, path, arg_max(sha, seq) AS s FROM changes GROUP BY repo, path) AS g`,
			lite: `SELECT count(*), min(s), max(s) FROM (SELECT repo, path, sha AS s, max(seq) FROM changes GROUP BY repo, path) AS g`,
		},
		{
			name: "latest per (repository, path), by QUALIFY",
			text: `SELECT count(*), min(s), max(s) FROM (SELECT repo, path, sha AS s FROM changes QUALIFY row_number() OVER (PARTITION BY repo, path ORDER BY _seq DESC) = 1) AS g`,
			duck: `SELECT count(*), min(s), max(s) FROM (SELECT repo, path, sha AS s FROM changes QUALIFY row_number() OVER (PARTITION BY repo, path ORDER BY seq DESC) = 1) AS g`,
			lite: `SELECT count(*), min(s), max(s) FROM (SELECT sha AS s, row_number() OVER (PARTITION BY repo, path ORDER BY seq DESC) AS n FROM changes) AS g WHERE n = 1`,
		},
		{name: "by sha", lookup: true, text: `SELECT path, ins, del FROM changes WHERE sha = '{sha}'`},
		{name: "substring LIKE", odd: true, text: `SELECT count(*), sum(ins) FROM changes WHERE path LIKE '%server%'`},
		{
			name: "CASE sums", odd: true,
			text: `SELECT repo, sum(CASE WHEN ext = 'md' THEN ins ELSE 0 END), sum(CASE WHEN ins > del THEN 1 ELSE 0 END) FROM changes GROUP BY repo`,
		},
		{name: "HAVING", text: `SELECT author, count(*), sum(ins) FROM commits GROUP BY author HAVING count(*) > 200`},
		{name: "time range, grouped", odd: true, text: `SELECT dir, count(*), sum(ins) FROM changes WHERE ts >= {from} AND ts < {to} GROUP BY dir`},
		{name: "distinct paths by repository", text: `SELECT repo, count(DISTINCT path) FROM changes GROUP BY repo`},
		{name: "group by two keys", odd: true, text: `SELECT repo, ext, count(*), sum(ins), avg(del) FROM changes GROUP BY repo, ext`},
		{name: "arithmetic in WHERE", odd: true, text: `SELECT count(*), sum(ins + del) FROM changes WHERE ins - del > 10 AND (ins + del) * 2 < 500`},
		{
			name: "COALESCE, counts of NULL",
			text: `SELECT count(*), count(ext), count(ins), sum(coalesce(ins, 0) + coalesce(del, 0)), count(DISTINCT coalesce(ext, 'none')) FROM changes`,
		},
		{
			name: "order by two keys, limit", ordered: true,
			text: `SELECT repo, files, sha FROM commits ORDER BY repo, files DESC, sha LIMIT 50`,
		},
		{
			name: "existence, by join",
			text: `SELECT count(*), sum(c.files) FROM commits c JOIN (SELECT DISTINCT sha FROM changes WHERE ext = 'md') AS x ON c.sha = x.sha`,
		},
	}
}

// fill puts facts into a query's text.
func (f facts) fill(text string) string {
	return strings.NewReplacer("{commit}", itoa(f.Commit), "{change}", itoa(f.Change), "{sha}", f.SHA, "{from}", itoa(f.From), "{to}", itoa(f.To)).Replace(text)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
