/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Decrypts as BouncyCastle does:
 *
 *   java Decrypt KEY FILE
 *
 * KEY is PKCS #8 in DER, FILE an EnvelopedData or AuthEnvelopedData in PEM with one recipient. The content goes to standard output. RSA
 * only: BouncyCastle 1.72 has no recipient for ECDH with AuthEnvelopedData.
 */

import java.io.FileReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Security;
import java.security.spec.PKCS8EncodedKeySpec;
import org.bouncycastle.asn1.cms.CMSObjectIdentifiers;
import org.bouncycastle.asn1.cms.ContentInfo;
import org.bouncycastle.cms.CMSAuthEnvelopedData;
import org.bouncycastle.cms.CMSEnvelopedData;
import org.bouncycastle.cms.RecipientInformation;
import org.bouncycastle.cms.jcajce.JceKeyTransAuthEnvelopedRecipient;
import org.bouncycastle.cms.jcajce.JceKeyTransEnvelopedRecipient;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;

public class Decrypt {
    private static PrivateKey key(String file) throws Exception {
        return KeyFactory.getInstance("RSA", "BC")
                .generatePrivate(new PKCS8EncodedKeySpec(Files.readAllBytes(Path.of(file))));
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        ContentInfo file = (ContentInfo) new PEMParser(new FileReader(arguments[1])).readObject();
        boolean authenticated = file.getContentType().equals(CMSObjectIdentifiers.authEnvelopedData);
        RecipientInformation information = (authenticated
                ? new CMSAuthEnvelopedData(file).getRecipientInfos()
                : new CMSEnvelopedData(file).getRecipientInfos()).getRecipients().iterator().next();

        PrivateKey key = key(arguments[0]);

        System.out.write(information.getContent(authenticated
                ? new JceKeyTransAuthEnvelopedRecipient(key).setProvider("BC")
                : new JceKeyTransEnvelopedRecipient(key).setProvider("BC")));
        System.out.flush();
    }
}
