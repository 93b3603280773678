import {
  clientOf,
  createMeter,
  now,
  print,
  refusal,
  stripe,
  summaries,
  told,
  without,
} from "./client.mjs";

const { meterEvents, meterEventAdjustments, meterEventSession } = stripe.v2.billing;
const [expiredToken] = told;
const meter = await createMeter("streamed");
const minute = new Date((now() - (now() % 60)) * 1000);
const event = (value, fields = {}) => ({
  event_name: "streamed",
  payload: { stripe_customer_id: "cus_1", value },
  ...fields,
});

const created = await meterEvents.create(
  event("25", { identifier: "identifier_1", timestamp: minute.toISOString() }),
);
await meterEvents.create(event("1000", { identifier: "mistaken" }));
const adjustment = await meterEventAdjustments.create({
  event_name: "streamed",
  type: "cancel",
  cancel: { identifier: "mistaken" },
});

const session = await meterEventSession.create();
const streaming = clientOf(session.authentication_token);
const streamed = await streaming.v2.billing.meterEventStream.create({
  events: Array.from({ length: 100 }, (_, at) => event(`${at}`)),
});
await stripe.v2.billing.meterEventStream.create(
  { events: [event("0.5")] },
  { apiKey: session.authentication_token },
);
const [summary] = (await summaries(meter)).data;

print({
  created: without(created, "created", "timestamp"),
  isThen: Date.parse(created.timestamp) === minute.getTime(),
  adjustment: without(adjustment, "id", "created"),
  session: without(session, "id", "authentication_token", "created", "expires_at"),
  livesFor: Date.parse(session.expires_at) - Date.parse(session.created),
  streamed,
  sum: summary.aggregated_value,
  refusals: {
    duplicate: await refusal(
      meterEvents.create(event("25", { identifier: "identifier_1" })),
    ),
    // The package writes dates as v1 has them, which v2 does not take.
    date: await refusal(meterEvents.create(event("1", { timestamp: new Date(0) }))),
    tooMany: await refusal(
      streaming.v2.billing.meterEventStream.create({
        events: Array.from({ length: 101 }, () => event("1")),
      }),
    ),
    unknownToken: await refusal(
      clientOf("sk_test_1234567890abcd").v2.billing.meterEventStream.create({
        events: [event("1")],
      }),
    ),
    expiredToken: await refusal(
      clientOf(expiredToken).v2.billing.meterEventStream.create({
        events: [event("1")],
      }),
    ),
  },
});
