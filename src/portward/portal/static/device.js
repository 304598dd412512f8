// Makes a device's key in this browser: the gateway sees a signing request and never the key. What it signs is put
// into a PKCS#12 file (RFC 7292) and a pair of PEM files, here as well. Nothing is kept when the page is closed.

const bytes = (...parts) => Uint8Array.from(parts.flatMap(part => [...part]))
const tag = (number, ...parts) => {
  const body = bytes(...parts), size = []
  for (let rest = body.length; rest; rest >>= 8) size.unshift(rest & 255)
  return bytes([number], body.length < 128 ? [body.length] : [128 | size.length, ...size], body)
}
const sequence = (...parts) => tag(0x30, ...parts)
const set = (...parts) => tag(0x31, ...parts)
const octets = part => tag(0x04, part)
const inside = (...parts) => tag(0xa0, ...parts)
const nothing = tag(0x05)
const integer = number => {
  const digits = []
  for (let rest = number; rest || !digits.length; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  return tag(0x02, digits[0] & 128 ? [0, ...digits] : digits)
}
const oid = text => {
  const [first, second, ...rest] = text.split(".").map(Number)
  const spelt = number => {
    const digits = [number & 127]
    for (let more = Math.floor(number / 128); more; more = Math.floor(more / 128)) digits.unshift(more % 128 | 128)
    return digits
  }
  return tag(0x06, [40 * first + second], ...rest.map(spelt))
}
const wide = text => bytes(...[...text].map(letter => [letter.charCodeAt(0) >> 8, letter.charCodeAt(0) & 255]))
const random = size => crypto.getRandomValues(new Uint8Array(size))
const base64 = data => btoa(String.fromCharCode(...data))
const pem = (kind, data) =>
  `-----BEGIN ${kind}-----\n${base64(data).match(/.{1,64}/g).join("\n")}\n-----END ${kind}-----\n`
const unpem = text => Uint8Array.from(atob(text.replace(/-----[^-]+-----|\s/g, "")), letter => letter.charCodeAt(0))

// An ECDSA signature as X.509 has it: WebCrypto gives the two numbers bare.
const number = half => {
  let start = 0
  while (start < half.length - 1 && !half[start]) start++
  return tag(0x02, half[start] & 128 ? [0] : [], half.subarray(start))
}

async function request(pair) {
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey))
  const asked = sequence(integer(0), sequence(), spki, inside())
  const raw = new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, asked))
  const signature = sequence(number(raw.subarray(0, 32)), number(raw.subarray(32)))
  return pem("CERTIFICATE REQUEST", sequence(asked, sequence(oid("1.2.840.10045.4.3.2")), tag(0x03, [0], signature)))
}

const ROUNDS = 100000, MAC_ROUNDS = 2048

async function sealed(content, password) {
  const salt = random(16), iv = random(16), encoded = new TextEncoder().encode(password)
  const base = await crypto.subtle.importKey("raw", encoded, "PBKDF2", false, ["deriveKey"])
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS }
  const key = await crypto.subtle.deriveKey(how, base, { name: "AES-CBC", length: 256 }, false, ["encrypt"])
  const derivation = sequence(
    oid("1.2.840.113549.1.5.12"),
    sequence(octets(salt), integer(ROUNDS), sequence(oid("1.2.840.113549.2.9"), nothing)))
  const cipher = sequence(oid("2.16.840.1.101.3.4.1.42"), octets(iv))
  const method = sequence(oid("1.2.840.113549.1.5.13"), sequence(derivation, cipher))
  return [method, new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv }, key, content))]
}

// RFC 7292 appendix B.2, for one block of SHA-256: 32 bytes are wanted, blocks are 64.
async function macKey(password, salt) {
  const filled = part => Uint8Array.from({ length: 64 * Math.ceil(part.length / 64) }, (_, at) => part[at % part.length])
  let key = bytes(new Uint8Array(64).fill(3), filled(salt), filled(bytes(wide(password), [0, 0])))
  for (let round = 0; round < MAC_ROUNDS; round++) key = new Uint8Array(await crypto.subtle.digest("SHA-256", key))
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"])
}

async function pack(pkcs8, certificate, name, password) {
  const id = new Uint8Array(await crypto.subtle.digest("SHA-1", certificate))
  const attributes = set(
    sequence(oid("1.2.840.113549.1.9.20"), set(tag(0x1e, wide(name)))),
    sequence(oid("1.2.840.113549.1.9.21"), set(octets(id))))
  const [keyMethod, keySealed] = await sealed(pkcs8, password)
  const keyBag = sequence(
    oid("1.2.840.113549.1.12.10.1.2"), inside(sequence(keyMethod, octets(keySealed))), attributes)
  const certificateBag = sequence(
    oid("1.2.840.113549.1.12.10.1.3"),
    inside(sequence(oid("1.2.840.113549.1.9.22.1"), inside(octets(certificate)))), attributes)
  const [method, content] = await sealed(sequence(certificateBag), password)
  const data = oid("1.2.840.113549.1.7.1")
  const safe = sequence(
    sequence(oid("1.2.840.113549.1.7.6"),
      inside(sequence(integer(0), sequence(data, method, tag(0x80, content))))),
    sequence(data, inside(octets(sequence(keyBag)))))
  const salt = random(16), digest = sequence(oid("2.16.840.1.101.3.4.2.1"), nothing)
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", await macKey(password, salt), safe))
  return sequence(
    integer(3), sequence(data, inside(octets(safe))),
    sequence(sequence(digest, octets(mac)), octets(salt), integer(MAC_ROUNDS)))
}

const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"

function password() {
  const letters = []
  while (letters.length < 20) for (const byte of random(32)) if (byte < 248) letters.push(LETTERS[byte % 31])
  return letters.slice(0, 20).join("").match(/.{5}/g).join("-")
}

function offer(place, file, label, content, type) {
  const link = document.createElement("a")
  Object.assign(link, { className: "button", download: file, textContent: label })
  link.href = URL.createObjectURL(new Blob([content], { type }))
  place.append(link)
}

async function enrol(form) {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"])
  const body = new URLSearchParams({ name: form.elements.name.value, csr: await request(pair) })
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } })
  const said = await answer.json()
  if (!answer.ok) throw new Error(said.error)
  return [new Uint8Array(await crypto.subtle.exportKey("pkcs8", pair.privateKey)), said]
}

const form = document.querySelector("form[data-own-key]")
const problem = document.getElementById("own-key-problem")
const result = document.getElementById("own-key-result")

form.hidden = !(globalThis.crypto && crypto.subtle)
form.addEventListener("submit", async event => {
  event.preventDefault()
  const button = form.querySelector("button")
  button.disabled = true
  problem.textContent = ""
  try {
    const [key, said] = await enrol(form), links = result.querySelector(".actions")
    const keyPem = pem("PRIVATE KEY", key), file = said.file
    if (said.certificate) {
      const secret = password(), packed = await pack(key, unpem(said.certificate), said.name, secret)
      result.querySelector("code").textContent = secret
      offer(links, `${file}.p12`, "Save it for browsers (.p12)", packed, "application/x-pkcs12")
      offer(links, `${file}.pem`, "Save it for curl (.pem)", keyPem + said.certificate, "application/x-pem-file")
    } else {
      offer(links, `${file}.key`, "Save the key (.key)", keyPem, "application/x-pem-file")
    }
    result.querySelector(said.certificate ? "[data-done]" : "[data-waiting]").hidden = false
    result.hidden = false
    form.hidden = true
    result.focus()
  } catch (error) {
    problem.textContent = error.message
    button.disabled = false
  }
})
