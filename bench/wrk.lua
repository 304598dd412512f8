-- Connects to BENCH_ADDRESS (127.0.0.1) whatever name the URL has (that name is still sent as SNI), and prints the
-- figures as one line of JSON. There is no `request` or `response` function here: those would run, and cost, for every request.

function wrk.resolve(host, service)
  wrk.addrs = wrk.lookup(os.getenv("BENCH_ADDRESS") or "127.0.0.1", service)
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "seconds": %.6f, "bytes": %d, "p99_ms": %.3f, "errors": %d}',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
