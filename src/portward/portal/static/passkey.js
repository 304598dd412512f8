// Makes and shows passkeys (Web Authentication). A form with data-passkey waits for the browser's answer, puts it into
// its field `passkey`, and goes on its way as any form does. What is to be signed stands in data-passkey, or the gateway
// at data-ask is asked for it when the button is pressed, so that a page which was open for long still works.

const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), letter => letter.charCodeAt(0))
const text = buffer => buffer &&
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")
const named = list => (list || []).map(one => ({ ...one, id: bytes(one.id) }))

async function make(options) {
  const user = { ...options.user, id: bytes(options.user.id) }
  const excludeCredentials = named(options.excludeCredentials)
  return navigator.credentials.create({
    publicKey: { ...options, user, excludeCredentials, challenge: bytes(options.challenge) },
  })
}

async function show(form) {
  const answer = await fetch(form.dataset.ask || "/passkey/ask", { method: "POST", body: new URLSearchParams(new FormData(form)) })
  const options = await answer.json()
  if (!answer.ok) throw new Error(options.error)
  const allowCredentials = named(options.allowCredentials)
  return navigator.credentials.get({
    publicKey: { ...options, allowCredentials, challenge: bytes(options.challenge) },
  })
}

// As PublicKeyCredential.toJSON() has it, which browsers learn only now.
const spelt = ({ id, rawId, type, response }) => JSON.stringify({
  id, type, rawId: text(rawId),
  response: {
    clientDataJSON: text(response.clientDataJSON),
    attestationObject: text(response.attestationObject),
    authenticatorData: text(response.authenticatorData),
    signature: text(response.signature),
    userHandle: text(response.userHandle),
  },
})

const told = {
  NotAllowedError: "Nothing was done: no passkey was chosen, or none of this gateway is here.",
  InvalidStateError: "This device has a passkey for you already.",
  SecurityError: "This browser does not trust the gateway's certificate, and makes no passkey without.",
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !globalThis.PublicKeyCredential
  form.addEventListener("submit", async event => {
    event.preventDefault()
    const button = form.querySelector("button"), problem = document.getElementById("problem")
    button.disabled = true
    problem.textContent = ""
    try {
      const options = form.dataset.passkey
      const shown = spelt(await (options ? make(JSON.parse(options)) : show(form)))
      const field = form.querySelector("input[name=passkey]")
      field.disabled = false
      field.value = shown
      form.submit()
    } catch (error) {
      problem.textContent = told[error.name] || error.message
      button.disabled = false
    }
  })
}
