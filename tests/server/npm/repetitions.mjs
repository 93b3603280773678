import { isSame, print, proxied, stripe, summaries, told } from "./client.mjs";

const [proxy] = told;
const params = {
  display_name: "A meter",
  event_name: "repeated",
  default_aggregation: { formula: "sum" },
};

const ask = () => stripe.billing.meters.create(params, { idempotencyKey: "mine" });
const first = await ask();
const again = await ask();

// It sends once more what was cut off, whatever it is told of retries.
const lost = await proxied(proxy).billing.meterEvents.create({
  event_name: "repeated",
  payload: { stripe_customer_id: "cus_1", value: "3" },
});
const [summary] = (await summaries(first)).data;

print({
  isSame: isSame(first, again),
  first: first.lastResponse.headers["idempotent-replayed"] ?? null,
  again: again.lastResponse.headers["idempotent-replayed"],
  isOriginal:
    again.lastResponse.headers["original-request"] === first.lastResponse.requestId,
  key: again.lastResponse.idempotencyKey,
  lost: lost.lastResponse.headers["idempotent-replayed"],
  sum: summary.aggregated_value,
});
