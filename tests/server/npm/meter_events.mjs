import {
  DAY,
  TODAY,
  createEvent,
  createMeter,
  print,
  stripe,
  summaries,
  without,
} from "./client.mjs";

const meter = await createMeter("sent");
const yesterday = TODAY - DAY;

const created = await stripe.billing.meterEvents.create({
  event_name: "sent",
  identifier: "identifier_1",
  payload: { stripe_customer_id: "cus_1", value: "25", model: "ä+&='(!)*" },
  timestamp: yesterday,
});
await createEvent("sent", "0.5", { timestamp: new Date((yesterday + 3600) * 1000) });
const unnamed = await createEvent("sent", 7);
await createEvent("sent", "1000", { identifier: "mistaken" });
const adjustment = await stripe.billing.meterEventAdjustments.create({
  event_name: "sent",
  type: "cancel",
  cancel: { identifier: "mistaken" },
});

const [summary] = (await summaries(meter)).data;
const hourly = [];
for await (const each of summaries(meter, {
  end_time: yesterday + DAY,
  value_grouping_window: "hour",
  limit: 1,
})) {
  hourly.push([each.start_time - yesterday, each.aggregated_value]);
}

print({
  created: without(created, "created", "timestamp"),
  timestamp: created.timestamp - yesterday,
  unnamed: [typeof unnamed.identifier, unnamed.payload.value],
  adjustment: adjustment,
  summary: without(summary, "id", "start_time", "end_time", "meter"),
  isOfMeter: summary.meter === meter.id,
  hourly,
});
