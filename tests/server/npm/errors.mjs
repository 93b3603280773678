import {
  clientOf,
  createEvent,
  createMeter,
  print,
  refusal,
  stripe,
  told,
} from "./client.mjs";

const [ingestKey] = told;
const { meters } = stripe.billing;
const meter = await createMeter("refused");
await createEvent("refused", "1", { identifier: "once" });
await meters.update(meter.id, { display_name: "x" }, { idempotencyKey: "used" });

print({
  missing: await refusal(meters.create({ display_name: "A meter" })),
  unknown: await refusal(createMeter("other", { foo: { bar: 1 } })),
  exists: await refusal(createMeter("refused")),
  noMeter: await refusal(meters.retrieve("mtr_none")),
  duplicate: await refusal(createEvent("refused", "1", { identifier: "once" })),
  tooMany: await refusal(meters.list({ limit: 101 })),
  noRoute: await refusal(stripe.charges.list()),
  badKey: await refusal(clientOf("sk_test_1234567890abcd").billing.meters.list()),
  noScope: await refusal(clientOf(ingestKey).billing.meters.list()),
  otherRequest: await refusal(
    meters.update(meter.id, { display_name: "y" }, { idempotencyKey: "used" }),
  ),
});
