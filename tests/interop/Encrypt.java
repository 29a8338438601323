/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Files as BouncyCastle writes them:
 *
 *   java Encrypt CERTIFICATE OTHER CONTENT FOLDER
 *
 * CERTIFICATE is the device's, OTHER somebody else's with a key of the same kind. Writes FOLDER/NAME.bc.
 */

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.AlgorithmParameters;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Security;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.spec.MGF1ParameterSpec;
import javax.crypto.spec.OAEPParameterSpec;
import javax.crypto.spec.PSource;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.DERUTF8String;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.cms.CCMParameters;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.SubjectKeyIdentifier;
import org.bouncycastle.cms.CMSAlgorithm;
import org.bouncycastle.cms.CMSAuthEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSEnvelopedDataGenerator;
import org.bouncycastle.cms.CMSEnvelopedDataStreamGenerator;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.RecipientInfoGenerator;
import org.bouncycastle.cms.SimpleAttributeTableGenerator;
import org.bouncycastle.cms.jcajce.JceCMSContentEncryptorBuilder;
import org.bouncycastle.cms.jcajce.JceKeyAgreeRecipientInfoGenerator;
import org.bouncycastle.cms.jcajce.JceKeyTransRecipientInfoGenerator;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.OutputAEADEncryptor;
import org.bouncycastle.operator.OutputEncryptor;
import org.bouncycastle.operator.jcajce.JcaAlgorithmParametersConverter;

public class Encrypt {
    private static X509Certificate device, other;
    private static byte[] content;
    private static Path folder;

    private static X509Certificate certificate(String file) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509", "BC")
            .generateCertificate(new ByteArrayInputStream(Files.readAllBytes(Path.of(file))));
    }

    private static byte[] keyIdentifier(X509Certificate certificate) throws IOException {
        byte[] extension = certificate.getExtensionValue(Extension.subjectKeyIdentifier.getId());
        return SubjectKeyIdentifier.getInstance(
            org.bouncycastle.asn1.ASN1OctetString.getInstance(extension).getOctets()).getKeyIdentifier();
    }

    private static void write(String name, byte[] file) throws IOException {
        Files.write(folder.resolve(name + ".bc"), file);
    }

    private static OutputEncryptor encryptor(ASN1ObjectIdentifier cipher) throws Exception {
        return new JceCMSContentEncryptorBuilder(cipher).setProvider("BC").build();
    }

    private static void enveloped(String name, ASN1ObjectIdentifier cipher, RecipientInfoGenerator recipient)
        throws Exception {
        CMSEnvelopedDataGenerator generator = new CMSEnvelopedDataGenerator();
        generator.addRecipientInfoGenerator(recipient);
        write(name, generator.generate(new CMSProcessableByteArray(content), encryptor(cipher)).getEncoded());
    }

    /* Two, in an order that DER has to change. */
    private static AttributeTable attributes() {
        ASN1EncodableVector attributes = new ASN1EncodableVector();
        attributes.add(new Attribute(PKCSObjectIdentifiers.pkcs_9_at_signingDescription,
            new DERSet(new DERUTF8String("first router of the second rack"))));
        attributes.add(new Attribute(PKCSObjectIdentifiers.pkcs_9_at_contentType, new DERSet(CMSObjectIdentifiers.data)));
        return new AttributeTable(attributes);
    }

    private static void authEnveloped(String name, OutputEncryptor cipher, boolean attributes,
        RecipientInfoGenerator recipient) throws Exception {
        CMSAuthEnvelopedDataGenerator generator = new CMSAuthEnvelopedDataGenerator();
        generator.addRecipientInfoGenerator(recipient);
        if (attributes)
            generator.setAuthenticatedAttributeGenerator(new SimpleAttributeTableGenerator(attributes()));
        write(name,
            generator.generate(new CMSProcessableByteArray(content), (OutputAEADEncryptor) cipher).getEncoded());
    }

    /* Indefinite lengths everywhere, and the content in pieces of 16 bytes. */
    private static void pieces(String name, ASN1ObjectIdentifier cipher, RecipientInfoGenerator recipient)
        throws Exception {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        CMSEnvelopedDataStreamGenerator generator = new CMSEnvelopedDataStreamGenerator();
        generator.addRecipientInfoGenerator(recipient);
        generator.setBufferSize(16);
        generator.setBEREncodeRecipients(true);
        try (OutputStream out = generator.open(file, encryptor(cipher))) {
            out.write(content);
        }
        write(name, file.toByteArray());
    }

    private static OutputEncryptor ccm(ASN1ObjectIdentifier cipher, int nonceSize) throws Exception {
        AlgorithmParameters parameters = AlgorithmParameters.getInstance("CCM", "BC");
        byte[] nonce = new byte[nonceSize];
        new java.security.SecureRandom().nextBytes(nonce);
        parameters.init(new CCMParameters(nonce, 16).getEncoded());
        return new JceCMSContentEncryptorBuilder(cipher).setProvider("BC").setAlgorithmParameters(parameters).build();
    }

    private static RecipientInfoGenerator oaep(String digest, MGF1ParameterSpec mask, byte[] label) throws Exception {
        PSource source = label == null ? PSource.PSpecified.DEFAULT : new PSource.PSpecified(label);
        AlgorithmIdentifier algorithm = new JcaAlgorithmParametersConverter().getAlgorithmIdentifier(
            PKCSObjectIdentifiers.id_RSAES_OAEP, new OAEPParameterSpec(digest, "MGF1", mask, source));
        return new JceKeyTransRecipientInfoGenerator(device, algorithm).setProvider("BC");
    }

    private static void transport() throws Exception {
        RecipientInfoGenerator issuer = new JceKeyTransRecipientInfoGenerator(device).setProvider("BC");
        RecipientInfoGenerator identifier =
            new JceKeyTransRecipientInfoGenerator(keyIdentifier(device), device.getPublicKey()).setProvider("BC");

        contents(issuer);
        enveloped("identifier", CMSAlgorithm.AES256_CBC, identifier);
        enveloped("oaep-sha1", CMSAlgorithm.AES256_CBC, oaep("SHA-1", MGF1ParameterSpec.SHA1, null));
        /* What Java does when it is asked for OAEPWithSHA-256AndMGF1Padding. */
        enveloped("oaep-sha256-mgf1-sha1", CMSAlgorithm.AES256_CBC, oaep("SHA-256", MGF1ParameterSpec.SHA1, null));
        enveloped("oaep-sha384", CMSAlgorithm.AES256_CBC, oaep("SHA-384", MGF1ParameterSpec.SHA384, null));
        enveloped("oaep-sha512", CMSAlgorithm.AES256_CBC, oaep("SHA-512", MGF1ParameterSpec.SHA512, null));
        enveloped("oaep-label", CMSAlgorithm.AES256_CBC, oaep("SHA-256", MGF1ParameterSpec.SHA256, new byte[] {1, 2}));
    }

    private static JceKeyAgreeRecipientInfoGenerator agree(ASN1ObjectIdentifier scheme, ASN1ObjectIdentifier wrap)
        throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", "BC");
        generator.initialize(((ECPublicKey) device.getPublicKey()).getParams());
        KeyPair ephemeral = generator.generateKeyPair();
        return new JceKeyAgreeRecipientInfoGenerator(scheme, ephemeral.getPrivate(), ephemeral.getPublic(), wrap)
            .setProvider("BC");
    }

    private static void agreement() throws Exception {
        ASN1ObjectIdentifier[] schemes = {CMSAlgorithm.ECDH_SHA1KDF, CMSAlgorithm.ECDH_SHA224KDF,
            CMSAlgorithm.ECDH_SHA256KDF, CMSAlgorithm.ECDH_SHA384KDF, CMSAlgorithm.ECDH_SHA512KDF,
            CMSAlgorithm.ECCDH_SHA1KDF, CMSAlgorithm.ECCDH_SHA224KDF, CMSAlgorithm.ECCDH_SHA256KDF,
            CMSAlgorithm.ECCDH_SHA384KDF, CMSAlgorithm.ECCDH_SHA512KDF};
        ASN1ObjectIdentifier[] wraps = {CMSAlgorithm.AES128_WRAP, CMSAlgorithm.AES192_WRAP, CMSAlgorithm.AES256_WRAP};

        contents(agree(CMSAlgorithm.ECDH_SHA256KDF, CMSAlgorithm.AES256_WRAP).addRecipient(device));
        for (int i = 0; i < schemes.length; i++)
            enveloped("agreement-" + i, CMSAlgorithm.AES256_CBC, agree(schemes[i], wraps[i % 3]).addRecipient(device));
        enveloped("identifier", CMSAlgorithm.AES256_CBC, agree(CMSAlgorithm.ECDH_SHA256KDF, CMSAlgorithm.AES256_WRAP)
            .addRecipient(keyIdentifier(device), device.getPublicKey()));
        enveloped("ukm", CMSAlgorithm.AES256_CBC, agree(CMSAlgorithm.ECDH_SHA256KDF, CMSAlgorithm.AES256_WRAP)
            .setUserKeyingMaterial(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}).addRecipient(device));
        /* Several RecipientEncryptedKeys in one KeyAgreeRecipientInfo. */
        enveloped("several", CMSAlgorithm.AES256_CBC, agree(CMSAlgorithm.ECDH_SHA256KDF, CMSAlgorithm.AES256_WRAP)
            .addRecipient(other).addRecipient(device).addRecipient(other));
    }

    private static void contents(RecipientInfoGenerator recipient) throws Exception {
        enveloped("aes128-cbc", CMSAlgorithm.AES128_CBC, recipient);
        enveloped("aes192-cbc", CMSAlgorithm.AES192_CBC, recipient);
        enveloped("aes256-cbc", CMSAlgorithm.AES256_CBC, recipient);
        pieces("pieces", CMSAlgorithm.AES256_CBC, recipient);
        authEnveloped("aes128-gcm", encryptor(CMSAlgorithm.AES128_GCM), false, recipient);
        authEnveloped("aes192-gcm", encryptor(CMSAlgorithm.AES192_GCM), false, recipient);
        authEnveloped("aes256-gcm", encryptor(CMSAlgorithm.AES256_GCM), false, recipient);
        authEnveloped("aes256-gcm-attributes", encryptor(CMSAlgorithm.AES256_GCM), true, recipient);
        authEnveloped("aes128-ccm", ccm(CMSAlgorithm.AES128_CCM, 12), false, recipient);
        authEnveloped("aes192-ccm", ccm(CMSAlgorithm.AES192_CCM, 11), false, recipient);
        authEnveloped("aes256-ccm", ccm(CMSAlgorithm.AES256_CCM, 7), false, recipient);
        authEnveloped("aes256-ccm-attributes", ccm(CMSAlgorithm.AES256_CCM, 12), true, recipient);
        /* These are to be refused: a tag of 12 bytes, BouncyCastle's default for CCM, and triple DES. */
        authEnveloped("refused-tag12", encryptor(CMSAlgorithm.AES256_CCM), false, recipient);
        enveloped("refused-3des", CMSAlgorithm.DES_EDE3_CBC, recipient);
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        device = certificate(arguments[0]);
        other = certificate(arguments[1]);
        content = Files.readAllBytes(Path.of(arguments[2]));
        folder = Path.of(arguments[3]);
        if (device.getPublicKey() instanceof ECPublicKey)
            agreement();
        else
            transport();
    }
}
