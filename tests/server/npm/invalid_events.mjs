import { createMeter, print, stripe } from "./client.mjs";

const session = await stripe.v2.billing.meterEventSession.create();
const send = (event_name, value) =>
  stripe.v2.billing.meterEventStream.create(
    {
      events: [{ event_name, payload: { stripe_customer_id: "cus_1", value } }],
    },
    { apiKey: session.authentication_token },
  );

for (const name of ["first", "second", "third"]) {
  await createMeter(name);
  await send(name, "much");
}
await send("nothing", "1");

print({});
